import type { ServiceCIDR } from '../../api/index.ts'
import {
  addressAt,
  Bitmap,
  type CIDR,
  cidrContains,
  formatAddress,
  formatCIDR,
  type IPFamily,
  offsetIn,
  parseAddress,
  parseCIDR,
} from '../../ip/index.ts'
import type { Condition } from '../../store/index.ts'
import { addressBands, type Bands, pickFree } from './bands.ts'

/** Name of the ServiceCIDR that is made from the flags. */
export const DEFAULT_SERVICE_CIDR = 'kubernetes'

/**
 * Which cluster addresses are free: a memory of the ServiceCIDR and IPAddress objects in the store. What it says is a hint;
 * that an IPAddress object does not exist yet is what the store checks in the end.
 */
export interface AddressPool {
  /** Families that have a range; the first is the default one. */
  readonly families: readonly IPFamily[]
  /** The ranges of a family, in the order in which they are used. */
  ranges(family: IPFamily): readonly string[]
  /** A free address, reserved; undefined when all ranges are full. */
  pick(family: IPFamily): Picked | undefined
  /** What must stay true while `address` is given out: undefined when it lies in no range. */
  rangeOf(address: string): Condition | undefined
  /** Keeps others from picking an address. */
  reserve(address: string): void
  unreserve(address: string): void
  /** The first address of the default range of a family: for default/kubernetes. */
  firstOf(family: IPFamily): string | undefined
  /** Whether an IPAddress object exists that lies in this ServiceCIDR and in no other that stays. */
  isNeeded(serviceCIDR: string): boolean
}

export interface Picked {
  readonly address: string
  readonly range: Condition
}

/** How changes in the store get in. */
export interface AddressPoolFeed extends AddressPool {
  clear(): void
  setCIDR(object: ServiceCIDR, stored: Condition): void
  deleteCIDR(name: string): void
  addAddress(name: string): void
  deleteAddress(name: string): void
}

interface Range {
  readonly serviceCIDR: string
  readonly stored: Condition
  readonly cidr: CIDR
  readonly bands: Bands
  readonly taken: Bitmap
  readonly isLeaving: boolean
}

export const createAddressPool = (random: () => number = Math.random): AddressPoolFeed => {
  const ranges = new Map<string, readonly Range[]>()
  const stored = new Set<string>()
  const reserved = new Map<string, number>()
  let ordered: readonly Range[] = []

  const isTaken = (address: string): boolean => stored.has(address) || reserved.has(address)
  const mark = (address: string): void => markIn([...ranges.values()].flat(), address, isTaken(address))
  const reorder = (): void => {
    ordered = [...ranges]
      .sort(([a], [b]) => Number(b === DEFAULT_SERVICE_CIDR) - Number(a === DEFAULT_SERVICE_CIDR) || (a < b ? -1 : 1))
      .flatMap(([, each]) => each)
  }
  const usable = (family: IPFamily): readonly Range[] =>
    ordered.filter((range) => !range.isLeaving && range.cidr.family === family)
  const reserve = (address: string): void => {
    reserved.set(address, (reserved.get(address) ?? 0) + 1)
    mark(address)
  }
  return {
    get families() {
      return [...new Set(ordered.filter((range) => !range.isLeaving).map((range) => range.cidr.family))]
    },
    ranges: (family) => usable(family).map((range) => formatCIDR(range.cidr)),
    pick(family) {
      const first = firstAddresses(ordered)
      for (const range of usable(family)) {
        const address = pickIn(range, first, random)
        if (address === undefined) continue
        reserve(address)
        return { address, range: range.stored }
      }
      return undefined
    },
    rangeOf: (address) => ordered.find((range) => !range.isLeaving && offsetOf(range, address) !== undefined)?.stored,
    reserve,
    unreserve(address) {
      const count = reserved.get(address) ?? 0
      if (count > 1) reserved.set(address, count - 1)
      else reserved.delete(address)
      mark(address)
    },
    firstOf: (family) => firstAddresses(ordered).find((address) => parseAddress(address)?.family === family),
    isNeeded(name) {
      const own = ranges.get(name) ?? []
      const others = ordered.filter((range) => range.serviceCIDR !== name && !range.isLeaving)
      return [...stored].some((address) => isWithin(own, address) && !isWithin(others, address))
    },
    clear() {
      ranges.clear()
      stored.clear()
      reorder()
    },
    setCIDR(object, condition) {
      ranges.set(
        object.metadata.name,
        rangesOf(object, { stored: condition, addresses: new Set([...stored, ...reserved.keys()]) }),
      )
      reorder()
    },
    deleteCIDR(name) {
      ranges.delete(name)
      reorder()
    },
    addAddress(name) {
      stored.add(name)
      mark(name)
    },
    deleteAddress(name) {
      stored.delete(name)
      mark(name)
    },
  }
}

const rangesOf = (
  object: ServiceCIDR,
  { stored, addresses }: { readonly stored: Condition; readonly addresses: ReadonlySet<string> },
): readonly Range[] =>
  (object.spec.cidrs ?? []).flatMap((text): readonly Range[] => {
    const cidr = parseCIDR(text)
    if (cidr === undefined) return []
    const bands = addressBands(cidr)
    const range: Range = {
      serviceCIDR: object.metadata.name,
      stored,
      cidr,
      bands,
      taken: new Bitmap(bands.to),
      isLeaving: object.metadata.deletionTimestamp !== undefined,
    }
    for (const address of addresses) markIn([range], address, true)
    return [range]
  })

const markIn = (ranges: readonly Range[], address: string, taken: boolean): void => {
  for (const range of ranges) {
    const offset = offsetOf(range, address)
    if (offset === undefined) continue
    if (taken) range.taken.add(offset)
    else range.taken.delete(offset)
  }
}

/** The offset of an address that may be given out from a range. */
const offsetOf = ({ cidr, bands }: Range, text: string): number | undefined => {
  const address = parseAddress(text)
  const offset = address === undefined ? undefined : offsetIn(cidr, address)
  return offset === undefined || offset < BigInt(bands.from) || offset >= BigInt(bands.to) ? undefined : Number(offset)
}

const isWithin = (ranges: readonly Range[], text: string): boolean => {
  const address = parseAddress(text)
  return address !== undefined && ranges.some(({ cidr }) => cidrContains(cidr, address))
}

const textAt = ({ cidr }: Range, offset: number): string | undefined => {
  const address = addressAt(cidr, offset)
  return address === undefined ? undefined : formatAddress(address)
}

/** The first usable address of each range of the default ServiceCIDR. */
const firstAddresses = (ranges: readonly Range[]): readonly string[] =>
  ranges.filter((range) => range.serviceCIDR === DEFAULT_SERVICE_CIDR).flatMap((range) => textAt(range, range.bands.from) ?? [])

/** A free address that is nobody's by right. */
const pickIn = (range: Range, first: readonly string[], random: () => number): string | undefined => {
  const skipped = first.flatMap((address) => offsetOf(range, address) ?? []).filter((offset) => range.taken.add(offset))
  const offset = pickFree(range.taken, range.bands, random)
  for (const each of skipped) range.taken.delete(each)
  return offset === undefined ? undefined : textAt(range, offset)
}
