import { formatAddress, type IPFamily, parseAddress } from '../../../ip/index.ts'
import type { Problem } from '../../provider.ts'
import { type Pool, poolAdmits, rangeContains } from './config.ts'
import { createHoldings, type Holdings } from './holdings.ts'
import type { Wish } from './wish.ts'

/** Which load balancer has which address. Nobody has an address that somebody else has. */
export interface Allocator {
  /** Addresses by family for `key`: those that it has where they still are what it wishes, else free ones. Waits in line where there is none. */
  allocate(key: string, wish: Wish): Allocation
  /** Takes over what an earlier run gave; false for what is no address, or is somebody else's. */
  adopt(key: string, address: string): boolean
  /** Gives all its addresses back; those who wait get them, in the order in which they came. */
  release(key: string): void
  of(key: string): readonly string[]
  held(): ReadonlyMap<string, readonly string[]>
}

interface Allocation {
  readonly addresses: readonly string[]
  readonly problem: Problem | undefined
}

/** `given` is told of those who waited and got an address that came free. */
export const createAllocator = (pools: readonly Pool[], given: (key: string) => void): Allocator => {
  const waiting = new Map<string, Wish>()
  let hasFreed = false
  const holdings = createHoldings(pools, () => {
    hasFreed = true
  })

  const allocateOne = (key: string, wish: Wish): Allocation => {
    const problems: Problem[] = []
    for (const family of FAMILIES) if (!wish.families.includes(family)) holdings.drop(key, family)
    for (const family of wish.families) {
      const chosen = choose({ pools, holdings }, { key, wish, family })
      if (typeof chosen === 'string') holdings.take(key, family, chosen)
      else problems.push(chosen)
    }
    const addresses = wish.families.flatMap((family) => holdings.of(key, family) ?? [])
    const isContent = problems.length === 0 || (wish.takesFewer && addresses.length > 0 && wish.asked.size === 0)
    if (isContent) waiting.delete(key)
    else waiting.set(key, wish)
    return { addresses, problem: isContent ? undefined : problems[0] }
  }
  /** One who gets an address may leave another one free. */
  const serveWaiting = (): void => {
    while (hasFreed) {
      hasFreed = false
      for (const [key, wish] of [...waiting]) {
        const before = FAMILIES.map((family) => holdings.of(key, family)).join()
        const { addresses } = allocateOne(key, wish)
        if (addresses.length > 0 && FAMILIES.map((family) => holdings.of(key, family)).join() !== before) given(key)
      }
    }
  }
  return {
    allocate(key, wish) {
      const allocation = allocateOne(key, wish)
      serveWaiting()
      return allocation
    },
    adopt(key, text) {
      const address = parseAddress(text)
      if (address === undefined) return false
      const canonical = formatAddress(address)
      if (holdings.owner(canonical) === key) return true
      if (holdings.owner(canonical) !== undefined || holdings.of(key, address.family) !== undefined) return false
      holdings.take(key, address.family, canonical)
      return true
    },
    release(key) {
      waiting.delete(key)
      for (const family of FAMILIES) holdings.drop(key, family)
      serveWaiting()
    },
    of: (key) => FAMILIES.flatMap((family) => holdings.of(key, family) ?? []),
    held: holdings.all,
  }
}

const FAMILIES: readonly IPFamily[] = ['IPv4', 'IPv6']

interface Choice {
  readonly key: string
  readonly wish: Wish
  readonly family: IPFamily
}

/** The address that the key is to have, or why it has none. What it has stays, as long as it asks for nothing else. */
const choose = (
  { pools, holdings }: { readonly pools: readonly Pool[]; readonly holdings: Holdings },
  { key, wish, family }: Choice,
): string | Problem => {
  const asked = wish.asked.get(family)
  const eligible = eligiblePools(pools, wish)
  if (asked !== undefined) return judgeAsked({ asked, eligible, owner: holdings.owner(asked), key })
  const current = holdings.of(key, family)
  if (current !== undefined && (wish.pool === undefined || eligible.some((pool) => poolHas(pool, current)))) return current
  const candidates = wish.pool === undefined ? eligible.filter(({ autoAssign }) => autoAssign) : eligible
  return holdings.firstFree(candidates, family) ?? exhausted(pools, wish, family)
}

const eligiblePools = (pools: readonly Pool[], wish: Wish): readonly Pool[] =>
  pools.filter((pool) => poolAdmits(pool, wish) && (wish.pool === undefined || pool.name === wish.pool))

const poolHas = ({ ranges }: Pool, text: string): boolean => {
  const address = parseAddress(text)
  return address !== undefined && ranges.some((range) => rangeContains(range, address))
}

interface Asked {
  readonly asked: string
  readonly eligible: readonly Pool[]
  readonly owner: string | undefined
  readonly key: string
}

const judgeAsked = ({ asked, eligible, owner, key }: Asked): string | Problem => {
  if (owner === key) return asked
  if (owner !== undefined) {
    return {
      reason: 'AddressInUse',
      message: `the address ${asked} belongs to ${owner}; ask for another one, or let both share it`,
    }
  }
  if (!eligible.some((pool) => poolHas(pool, asked))) {
    return {
      reason: 'AddressNotInPool',
      message: `the address ${asked} is in no pool that this Service may use; ask for another one, or add it to a pool`,
    }
  }
  return asked
}

const exhausted = (pools: readonly Pool[], { pool, namespace }: Wish, family: IPFamily): Problem => {
  if (pool !== undefined && !pools.some(({ name }) => name === pool)) {
    return { reason: 'NoSuchPool', message: `there is no pool ${pool}; there are ${pools.map(({ name }) => name).join(', ')}` }
  }
  const which = pool === undefined ? `no pool for Services of namespace ${namespace}` : `the pool ${pool} does not`
  const verb = pool === undefined ? 'has' : 'have'
  return {
    reason: 'AddressesExhausted',
    message: `${which} ${verb} a free ${family} address; it gets the next one that comes free, or add addresses to a pool`,
  }
}
