import { type IPFamily, readCIDR } from '../../../ip/index.ts'
import { canonical, type NodeView, type SourceClass, sourceClassifier } from '../../../model/index.ts'

/**
 * What class an endpoint's own packets are of. A hot path, asked for every endpoint at every load: the model's classifier reads each address into
 * a big number, so IPv4 has a way of its own.
 */
export const ownClass = (node: NodeView, family: IPFamily): ((address: string) => SourceClass) => {
  const classify = sourceClassifier(node)
  if (family === 'IPv6') return (address) => classify(address)
  const pods = node.podCIDRs.flatMap((text) => {
    const cidr = readCIDR(text)?.cidr
    if (cidr === undefined || cidr.family !== 'IPv4') return []
    // A shift by 32 bits is none in JavaScript.
    const mask = cidr.prefix === 0 ? 0 : -1 << (32 - cidr.prefix)
    return [{ mask, base: Number(cidr.base) & mask }]
  })
  const others = new Set(node.addresses.map(canonical))
  return (address) => {
    const bits = bitsOf(address)
    if (pods.some(({ mask, base }) => (bits & mask) === base)) return 'pod'
    return others.has(address) || bits >>> 24 === 127 ? 'node' : 'outside'
  }
}

/** Of a canonical IPv4 address. */
const bitsOf = (address: string): number => {
  let bits = 0
  let part = 0
  for (let index = 0; index < address.length; index++) {
    const code = address.charCodeAt(index)
    if (code === DOT) {
      bits = (bits << 8) | part
      part = 0
    } else part = part * 10 + (code - ZERO)
  }
  return (bits << 8) | part
}

const DOT = 0x2e
const ZERO = 0x30
