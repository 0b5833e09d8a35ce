import net from 'node:net'

/** Who a proxy says it speaks for. */
export interface ProxiedAddresses {
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly destinationPort: number
}

/** A header that was read whole; `addresses` is undefined when the proxy speaks for itself (LOCAL, UNKNOWN). */
export interface ProxyHeader {
  readonly length: number
  readonly addresses: ProxiedAddresses | undefined
}

export type ReadProxyHeader = ProxyHeader | 'incomplete' | 'malformed'

/** Version 1 has at most 107 bytes; of version 2 we read addresses and 2 KiB of TLVs. */
export const MAX_PROXY_HEADER_BYTES = 2_048

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const TEXT = Buffer.from('PROXY ', 'latin1')

/**
 * Reads a PROXY protocol header, version 1 or 2, from the start of a connection
 * (haproxy.org/download/2.9/doc/proxy-protocol.txt). The receiver must know that one comes: nothing here guesses.
 */
export const readProxyHeader = (bytes: Buffer): ReadProxyHeader => {
  if (startsLike(bytes, SIGNATURE)) return readBinary(bytes)
  return startsLike(bytes, TEXT) ? readText(bytes) : 'malformed'
}

/** The bytes so far are the beginning of `start`, or begin with it. */
const startsLike = (bytes: Buffer, start: Buffer): boolean => {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

const MAX_TEXT_BYTES = 107
const LINE =
  /^PROXY (?:(UNKNOWN)(?: [ -~]*)?|(TCP4|TCP6) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4}))$/

const readText = (bytes: Buffer): ReadProxyHeader => {
  const end = bytes.subarray(0, MAX_TEXT_BYTES).indexOf('\r\n')
  if (end === -1) return bytes.length >= MAX_TEXT_BYTES || bytes.subarray(0, -1).includes('\r') ? 'malformed' : 'incomplete'
  const match = LINE.exec(bytes.toString('latin1', 0, end))
  if (match === null) return 'malformed'
  const [, unknown, family, source = '', destination = '', from, to] = match
  if (unknown !== undefined) return { length: end + 2, addresses: undefined }
  const version = family === 'TCP4' ? 4 : 6
  const [sourcePort, destinationPort] = [Number(from), Number(to)]
  if (net.isIP(source) !== version || net.isIP(destination) !== version || sourcePort > 65_535 || destinationPort > 65_535)
    return 'malformed'
  return {
    length: end + 2,
    addresses: { source: plain(source), sourcePort, destination: plain(destination), destinationPort },
  }
}

const BINARY_HEADER = 16
const Command = { local: 0, proxy: 1 } as const
/** Address family and transport, and how long the addresses are. */
const TCP4 = 0x11
const TCP6 = 0x21
const TCP4_BYTES = 12
const TCP6_BYTES = 36

const readBinary = (bytes: Buffer): ReadProxyHeader => {
  if (bytes.length < BINARY_HEADER) return isBinaryStart(bytes) ? 'incomplete' : 'malformed'
  const command = (bytes[12] ?? 0) & 15
  const length = BINARY_HEADER + bytes.readUInt16BE(14)
  if (!isBinaryStart(bytes) || length > MAX_PROXY_HEADER_BYTES) return 'malformed'
  if (bytes.length < length) return 'incomplete'
  // A health check of the proxy itself: its own address is the client's.
  if (command === Command.local) return { length, addresses: undefined }
  const addresses = binaryAddresses(bytes[13] ?? 0, bytes.subarray(BINARY_HEADER, length))
  return addresses === undefined ? 'malformed' : { length, addresses }
}

/** Version 2 and a known command; families other than TCP over IPv4 and IPv6 have no meaning here. */
const isBinaryStart = (bytes: Buffer): boolean => {
  const [command, family] = [bytes[12], bytes[13]]
  if (command !== undefined && command !== 0x20 && command !== 0x21) return false
  return family === undefined || command === 0x20 || family === TCP4 || family === TCP6
}

const binaryAddresses = (family: number, body: Buffer): ProxiedAddresses | undefined => {
  const size = family === TCP4 ? TCP4_BYTES : TCP6_BYTES
  if (body.length < size || !areTlvs(body.subarray(size))) return undefined
  const width = family === TCP4 ? 4 : 16
  return {
    source: addressText(body.subarray(0, width)),
    destination: addressText(body.subarray(width, 2 * width)),
    sourcePort: body.readUInt16BE(2 * width),
    destinationPort: body.readUInt16BE(2 * width + 2),
  }
}

const areTlvs = (bytes: Buffer): boolean => {
  let at = 0
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return false
    at += 3 + bytes.readUInt16BE(at + 1)
  }
  return at === bytes.length
}

const addressText = (bytes: Buffer): string => {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let at = 0; at < bytes.length; at += 2) groups.push(bytes.readUInt16BE(at).toString(16))
  return plain(groups.join(':'))
}

/** An address as Node spells it; an IPv4 address in IPv6's clothes is IPv4. */
const plain = (address: string): string => {
  const { address: text } = new net.SocketAddress({ address, family: net.isIPv6(address) ? 'ipv6' : 'ipv4' })
  return text.startsWith('::ffff:') && text.includes('.') ? text.slice('::ffff:'.length) : text
}
