import { Field, fieldKind } from './fields.ts'

/** Receives a decoded body. */
export interface BodySink {
  bodyBytes(bytes: Buffer, from: number, to: number): void
}

/** Chunk extensions of one message may take this much; they carry nothing that we keep (CVE-2024-22019). */
const MOST_EXTENSION_BYTES = 4_096
const MOST_TRAILER_BYTES = 8_192
/** 2^44: far above any body, far below where numbers lose precision. */
const MOST_SIZE_DIGITS = 11

const State = { sizeStart: 0, size: 1, extension: 2, sizeLf: 3, data: 4, dataCr: 5, dataLf: 6, trailer: 7, done: 8 } as const

/** Decodes the chunked coding (RFC 9112 section 7.1) at any split; strict about every byte. */
export class ChunkedDecoder {
  #state: number = State.sizeStart
  #size = 0
  #digits = 0
  #extensionBytes = 0
  #trailer = ''
  #lineLength = 0
  #afterCr = false
  /** Trailer field lines that may be passed on, each with its CRLF; set when done. */
  trailers = ''

  reset(): void {
    this.#state = State.sizeStart
    this.#size = 0
    this.#digits = 0
    this.#extensionBytes = 0
    this.#trailer = ''
    this.#lineLength = 0
    this.#afterCr = false
    this.trailers = ''
  }

  get isDone(): boolean {
    return this.#state === State.done
  }

  /** Decodes from `from` on; returns where it stopped (at the body's end or `to`), or -1 for bytes that are not the coding. */
  decode(bytes: Buffer, range: { readonly from: number; readonly to: number }, sink: BodySink): number {
    const { to } = range
    let i = range.from
    while (i < to && this.#state !== State.done) {
      if (this.#state === State.data) {
        const end = Math.min(to, i + this.#size)
        sink.bodyBytes(bytes, i, end)
        this.#size -= end - i
        i = end
        if (this.#size === 0) this.#state = State.dataCr
      } else if (!this.#step(bytes[i++] as number)) return -1
    }
    return i
  }

  #step(byte: number): boolean {
    switch (this.#state) {
      case State.sizeStart:
      case State.size:
        return this.#sizeByte(byte)
      case State.extension:
        if (byte === CR) this.#state = State.sizeLf
        else if ((byte < 0x20 && byte !== 9) || byte === 0x7f || ++this.#extensionBytes > MOST_EXTENSION_BYTES) return false
        return true
      case State.sizeLf:
        this.#state = this.#size === 0 ? State.trailer : State.data
        return byte === LF
      case State.dataCr:
        this.#state = State.dataLf
        return byte === CR
      case State.dataLf:
        this.#state = State.sizeStart
        this.#digits = 0
        return byte === LF
      default:
        return this.#trailerByte(byte)
    }
  }

  #sizeByte(byte: number): boolean {
    const digit = hexDigit(byte)
    if (digit !== -1) {
      this.#size = this.#size * 16 + digit
      this.#state = State.size
      return ++this.#digits <= MOST_SIZE_DIGITS
    }
    if (this.#state === State.sizeStart) return false
    if (byte === CR) this.#state = State.sizeLf
    else if (byte === SEMICOLON) this.#state = State.extension
    else return false
    return true
  }

  #trailerByte(byte: number): boolean {
    if (this.#afterCr !== (byte === LF)) return false
    this.#afterCr = byte === CR
    if (byte === LF) {
      if (this.#lineLength > 0) {
        this.#lineLength = 0
        return true
      }
      this.#state = State.done
      const trailers = passableTrailers(this.#trailer)
      this.trailers = trailers ?? ''
      return trailers !== undefined
    }
    if (byte !== CR) {
      if ((byte < 0x20 && byte !== 9) || byte === 0x7f) return false
      this.#lineLength++
    }
    this.#trailer += String.fromCharCode(byte)
    return this.#trailer.length <= MOST_TRAILER_BYTES
  }
}

const CR = 13
const LF = 10
const SEMICOLON = 0x3b

const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Trailers may not change framing, routing or identity (RFC 9110 section 6.5.1). */
export const FORBIDDEN_TRAILER =
  /^(?:authorization|cookie|set-cookie|content-.*|cache-control|host|max-forwards|www-authenticate|range|if-.*)$/i

const passableTrailers = (section: string): string | undefined => {
  let passed = ''
  for (const line of section.split('\r')) {
    if (line === '') continue
    const bytes = Buffer.from(line, 'latin1')
    const kind = fieldKind(bytes, 0, bytes.length)
    if (kind === -1) return undefined
    if (kind === Field.keep && !FORBIDDEN_TRAILER.test(line.slice(0, line.indexOf(':')))) passed += `${line}\r\n`
  }
  return passed
}

/** The last chunk with its trailers. */
export const lastChunk = (trailers: string): string => `0\r\n${trailers}\r\n`
