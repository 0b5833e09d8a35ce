import net from 'node:net'
import type { ProxiedAddresses } from './header.ts'

/** The header of version 1, for a pod that is to know who the client is. Mixed families are sent as IPv6. */
export const encodeProxyText = (addresses: ProxiedAddresses): string => {
  const { source, destination, sourcePort, destinationPort } = addresses
  if (isIPv4(addresses)) return `PROXY TCP4 ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`
  return `PROXY TCP6 ${mapped(source)} ${mapped(destination)} ${sourcePort} ${destinationPort}\r\n`
}

/** The header of version 2 without TLVs. */
export const encodeProxyBinary = (addresses: ProxiedAddresses): Buffer => {
  const four = isIPv4(addresses)
  const source = addressBytes(four ? addresses.source : mapped(addresses.source))
  const destination = addressBytes(four ? addresses.destination : mapped(addresses.destination))
  const header = Buffer.from([...SIGNATURE, 0x21, four ? 0x11 : 0x21, 0, four ? 12 : 36])
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(addresses.sourcePort, 0)
  ports.writeUInt16BE(addresses.destinationPort, 2)
  return Buffer.concat([header, source, destination, ports])
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

const isIPv4 = ({ source, destination }: ProxiedAddresses): boolean => net.isIPv4(source) && net.isIPv4(destination)

const mapped = (address: string): string => (net.isIPv4(address) ? `::ffff:${address}` : address)

const addressBytes = (address: string): Buffer => {
  if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = expandIPv4(address).split('::')
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const middle = new Array<number>(8 - left.length - right.length).fill(0)
  const bytes = Buffer.alloc(16)
  ;[...left, ...middle, ...right].forEach((group, i) => {
    bytes.writeUInt16BE(group, 2 * i)
  })
  return bytes
}

const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))

/** `::ffff:1.2.3.4` → `::ffff:102:304`. */
const expandIPv4 = (address: string): string =>
  address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  )
