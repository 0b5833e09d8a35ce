import { type Address, addressFromBytes, addressToBytes } from './address.ts'

const IPV4_SUFFIX = '.in-addr.arpa'
const IPV6_SUFFIX = '.ip6.arpa'

/** The name of an address's PTR record, without the final dot (RFC 1035 3.5, RFC 3596 2.5). */
export const reverseName = (address: Address): string => {
  const bytes = [...addressToBytes(address)].reverse()
  return address.family === 'IPv4'
    ? bytes.join('.') + IPV4_SUFFIX
    : bytes.map((byte) => `${(byte & 15).toString(16)}.${(byte >> 4).toString(16)}`).join('.') + IPV6_SUFFIX
}

/** The address that a PTR name asks for, in any case and with or without the final dot; undefined when it names no whole address. */
export const addressOfReverseName = (name: string): Address | undefined => {
  if (name.length > MAX_NAME) return undefined
  const lower = name.toLowerCase().replace(/\.$/, '')
  if (lower.endsWith(IPV4_SUFFIX)) {
    const parts = lower.slice(0, -IPV4_SUFFIX.length).split('.').reverse()
    const valid = parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
    return valid ? addressFromBytes(Uint8Array.from(parts, Number)) : undefined
  }
  if (!lower.endsWith(IPV6_SUFFIX)) return undefined
  const nibbles = lower.slice(0, -IPV6_SUFFIX.length).split('.').reverse()
  const valid = nibbles.length === 32 && nibbles.every((nibble) => /^[0-9a-f]$/.test(nibble))
  return valid ? addressFromBytes(Uint8Array.from(Buffer.from(nibbles.join(''), 'hex'))) : undefined
}

const MAX_NAME = 255
