/** What the first message of a TLS client says, before any key is agreed. */
interface ClientHello {
  /** As the client spelled it; undefined without SNI. */
  readonly serverName: string | undefined
  /** ALPN, in the client's order. */
  readonly protocols: readonly string[]
}

/** `incomplete`: more bytes are needed; `malformed`: no bytes will make it a ClientHello. */
export type ReadHello = ClientHello | 'incomplete' | 'malformed'

/** Longest ClientHello that is read (RFC 8446 allows records of 16 KiB, and no client comes near one). */
export const MAX_HELLO_BYTES = 16_384
/** The longest text of records that `readClientHello` asks for: it may come in pieces, each with its header. */
export const MAX_HELLO_RECORDS_BYTES = 2 * MAX_HELLO_BYTES

/**
 * Reads a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) from the start of a connection. Strict: every length must
 * fit exactly, an extension may come once (section 4.2), a server name list holds one host name (as OpenSSL reads it, RFC 6066 section 3).
 */
export const readClientHello = (bytes: Buffer): ReadHello => {
  const message = joinRecords(bytes)
  if (typeof message === 'string') return message
  return readMessage(new Reader(message)) ?? 'malformed'
}

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const RECORD_HEADER = 5
const MESSAGE_HEADER = 4
const MAX_RECORD = 16_384

/** The handshake message without its header, out of one or more records (RFC 8446 section 5.1). */
const joinRecords = (bytes: Buffer): Buffer | 'incomplete' | 'malformed' => {
  const pieces: Buffer[] = []
  let joined = 0
  let needed = MESSAGE_HEADER
  for (let at = 0; at < bytes.length; ) {
    if (!isHandshakeRecord(bytes, at)) return 'malformed'
    if (at + RECORD_HEADER > bytes.length) return 'incomplete'
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || length > MAX_RECORD) return 'malformed'
    const piece = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length)
    pieces.push(piece)
    joined += piece.length
    if (needed === MESSAGE_HEADER && joined >= MESSAGE_HEADER) {
      const head = pieces.length === 1 ? piece : Buffer.concat(pieces)
      needed += head.readUIntBE(1, 3)
      if (needed > MAX_HELLO_BYTES) return 'malformed'
    }
    if (pieces[0]?.[0] !== undefined && pieces[0][0] !== CLIENT_HELLO) return 'malformed'
    if (needed > MESSAGE_HEADER && joined >= needed) {
      // A second message in the same record has no place before the server's answer.
      return joined === needed && piece.length === length ? Buffer.concat(pieces).subarray(MESSAGE_HEADER) : 'malformed'
    }
    if (piece.length < length) return 'incomplete'
    at += RECORD_HEADER + length
  }
  return 'incomplete'
}

/** Judges as much of a record's header as is there: junk is known at its first byte. */
const isHandshakeRecord = (bytes: Buffer, at: number): boolean =>
  bytes[at] === HANDSHAKE && (bytes[at + 1] ?? 3) === 3 && (bytes[at + 2] ?? 1) <= 4

const SERVER_NAME = 0
const ALPN = 16
const MAX_SESSION_ID = 32

const readMessage = (reader: Reader): ClientHello | undefined => {
  if (reader.uint16() >> 8 !== 3) return undefined
  reader.skip(32)
  if (reader.vector8().length > MAX_SESSION_ID) return undefined
  const ciphers = reader.vector16().length
  if (ciphers < 2 || ciphers % 2 !== 0 || reader.vector8().length < 1) return undefined
  // TLS 1.2 clients may leave out the extensions, and with them the server name.
  if (reader.isAtEnd) return { serverName: undefined, protocols: [] }
  const extensions = reader.vector16()
  if (!reader.isAtEnd) return undefined
  return readExtensions(new Reader(extensions))
}

const readExtensions = (reader: Reader): ClientHello | undefined => {
  const seen = new Set<number>()
  let serverName: string | undefined
  let protocols: readonly string[] = []
  while (reader.hasMore) {
    const type = reader.uint16()
    const body = new Reader(reader.vector16())
    if (reader.isBroken || seen.has(type)) return undefined
    seen.add(type)
    if (type === SERVER_NAME) {
      serverName = readServerName(body)
      if (serverName === undefined) return undefined
    } else if (type === ALPN) {
      const list = readProtocols(body)
      if (list === undefined) return undefined
      protocols = list
    }
  }
  return reader.isBroken ? undefined : { serverName, protocols }
}

const HOST_NAME = 0
const MAX_NAME = 255

const readServerName = (body: Reader): string | undefined => {
  const list = new Reader(body.vector16())
  const type = list.uint8()
  const name = list.vector16()
  if (!body.isAtEnd || !list.isAtEnd || type !== HOST_NAME) return undefined
  if (name.length === 0 || name.length > MAX_NAME || name.includes(0)) return undefined
  return name.toString('latin1')
}

const readProtocols = (body: Reader): readonly string[] | undefined => {
  const list = new Reader(body.vector16())
  if (!body.isAtEnd || list.isAtEnd) return undefined
  const protocols: string[] = []
  while (list.hasMore) {
    const name = list.vector8()
    if (name.length === 0) return undefined
    protocols.push(name.toString('latin1'))
  }
  return list.isBroken ? undefined : protocols
}

const NOTHING = Buffer.alloc(0)

/** Reads numbers and vectors; a read beyond the end breaks it, and everything after reads as nothing. */
class Reader {
  isBroken = false
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Everything was read, and nothing beyond. */
  get isAtEnd(): boolean {
    return !this.isBroken && this.#at === this.#bytes.length
  }

  get hasMore(): boolean {
    return !this.isBroken && this.#at < this.#bytes.length
  }

  uint8(): number {
    return this.#take(1)[0] ?? 0
  }

  uint16(): number {
    const two = this.#take(2)
    return two.length === 2 ? two.readUInt16BE(0) : 0
  }

  vector8(): Buffer {
    return this.#take(this.uint8())
  }

  vector16(): Buffer {
    return this.#take(this.uint16())
  }

  skip(length: number): void {
    this.#take(length)
  }

  #take(length: number): Buffer {
    if (this.isBroken || this.#at + length > this.#bytes.length) {
      this.isBroken = true
      return NOTHING
    }
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
