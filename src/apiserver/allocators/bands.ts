import { type CIDR, cidrSize } from '../../ip/index.ts'

/** A range of offsets: dynamic picks come from `[dynamicFrom, to)` first, then from `[from, dynamicFrom)`. */
export interface Bands {
  readonly from: number
  readonly dynamicFrom: number
  /** Exclusive. */
  readonly to: number
}

/** Larger IPv6 ranges are used up to here; a bitmap is indexed by safe integers. */
const MAX_SIZE = 2 ** 48

/** Addresses below this offset are left to those who ask for one (KEP-3070). */
export const addressBands = (cidr: CIDR): Bands => {
  const whole = cidrSize(cidr)
  const size = whole > BigInt(MAX_SIZE) ? MAX_SIZE : Number(whole)
  // The first address names the network, the last IPv4 one is the broadcast address; ranges of one or two have neither.
  const from = size > 2 ? 1 : 0
  const to = cidr.family === 'IPv4' && size > 2 ? size - 1 : size
  return { from, dynamicFrom: Math.min(from + staticSize(size, { step: 16, most: 256 }), to), to }
}

/** Node ports below this offset are left to those who ask for one (KEP-3668). */
export const portBands = (size: number): Bands => ({ from: 0, dynamicFrom: staticSize(size, { step: 32, most: 128 }), to: size })

const LEAST = 16

const staticSize = (size: number, { step, most }: { readonly step: number; readonly most: number }): number =>
  size <= LEAST ? 0 : Math.min(Math.max(LEAST, Math.floor(size / step)), most)

/** A free offset: somewhere in the dynamic band, and only when that is full in the static one. */
export const pickFree = (
  taken: { findFree(from: number, low: number, high: number): number | undefined },
  { from, dynamicFrom, to }: Bands,
  random: () => number,
): number | undefined =>
  taken.findFree(dynamicFrom + Math.floor(random() * (to - dynamicFrom)), dynamicFrom, to) ??
  taken.findFree(from, from, dynamicFrom)
