import { formatAddress, type IPFamily, parseAddress } from '../../../ip/index.ts'
import { type AddressRange, type Pool, rangeContains } from './config.ts'

/** Who has which address; one of each family for a key, one key for an address. */
export interface Holdings {
  of(key: string, family: IPFamily): string | undefined
  owner(address: string): string | undefined
  /** In place of the one of this family that the key had. */
  take(key: string, family: IPFamily, address: string): void
  drop(key: string, family: IPFamily): void
  firstFree(pools: readonly Pool[], family: IPFamily): string | undefined
  all(): ReadonlyMap<string, readonly string[]>
}

export const createHoldings = (pools: readonly Pool[], freed: () => void): Holdings => {
  const byKey = new Map<string, Map<IPFamily, string>>()
  const byAddress = new Map<string, string>()
  const ranges = new Map(pools.map((pool) => [pool.name, pool.ranges.map((range) => createFreeRange(range, pool))]))
  const isFree = (address: string): boolean => !byAddress.has(address)

  const drop = (key: string, family: IPFamily): void => {
    const addresses = byKey.get(key)
    const address = addresses?.get(family)
    if (address === undefined) return
    byAddress.delete(address)
    addresses?.delete(family)
    if (addresses?.size === 0) byKey.delete(key)
    for (const range of [...ranges.values()].flat()) range.freed(address)
    freed()
  }
  return {
    of: (key, family) => byKey.get(key)?.get(family),
    owner: (address) => byAddress.get(address),
    take(key, family, address) {
      if (byKey.get(key)?.get(family) === address) return
      drop(key, family)
      byAddress.set(address, key)
      byKey.set(key, (byKey.get(key) ?? new Map<IPFamily, string>()).set(family, address))
    },
    drop,
    firstFree(candidates, family) {
      for (const { name } of candidates) {
        for (const range of ranges.get(name) ?? []) {
          const found = range.family === family ? range.first(isFree) : undefined
          if (found !== undefined) return found
        }
      }
      return undefined
    },
    all: () => new Map([...byKey].map(([key, addresses]) => [key, [...addresses.values()]])),
  }
}

interface FreeRange {
  readonly family: IPFamily
  /** The lowest free address. */
  first(isFree: (address: string) => boolean): string | undefined
  freed(address: string): void
}

/** Nothing below the mark is free, so that filling a large range costs one step for each address. */
const createFreeRange = (range: AddressRange, { avoidsBuggyAddresses }: Pool): FreeRange => {
  let mark = range.first
  const isBuggy = (value: bigint): boolean =>
    avoidsBuggyAddresses && range.family === 'IPv4' && ((value & 255n) === 0n || (value & 255n) === 255n)
  return {
    family: range.family,
    first(isFree) {
      for (; mark <= range.last; mark++) {
        const text = formatAddress({ family: range.family, value: mark })
        if (!isBuggy(mark) && isFree(text)) return text
      }
      return undefined
    },
    freed(text) {
      const address = parseAddress(text)
      if (address !== undefined && rangeContains(range, address) && address.value < mark) mark = address.value
    },
  }
}
