import { cidrOf, formatCIDR, readAddress, readCIDR } from '../../../ip/index.ts'
import { is, isNot, listOf, type Parser } from './reading.ts'

const NO_CIDR = 'an address range such as 10.0.0.0/8, or an address'

/** A range, or an address as the range of itself; bits beyond the prefix are cut off, leading zeros refused (octal elsewhere). */
export const cidr: Parser<string> = (text) => {
  if (!text.includes('/')) {
    const reading = readAddress(text)
    if (reading === undefined || reading.leadingZeros) return isNot(NO_CIDR)
    return is(formatCIDR(cidrOf(reading.address, reading.address.family === 'IPv4' ? 32 : 128)))
  }
  const reading = readCIDR(text)
  return reading === undefined || reading.leadingZeros ? isNot(NO_CIDR) : is(formatCIDR(reading.cidr))
}

export const cidrs: Parser<readonly string[]> = listOf(cidr)
