import type { EndpointSlice } from '../api/index.ts'
import { aborted } from '../base/index.ts'
import type { Change, Informer } from '../informers/index.ts'
import type { Traffic } from '../node/index.ts'

/** The index of slices by the addresses of their endpoints. */
export const addressIndex = {
  address: (slice: EndpointSlice): readonly string[] => (slice.endpoints ?? []).flatMap(({ addresses }) => addresses.slice(0, 1)),
}

/** What carries traffic to pods, as far as the end of a pod asks. */
export interface Carrier {
  /** Resolves when what the caches hold now is what is carried. */
  settled(): Promise<void>
}

/**
 * Tells the node when a pod that is about to end gets no new connections any more: every slice says so, and everybody
 * who carries traffic has caught up with that. `slices` has the index `address`.
 */
export const createTraffic = (slices: Informer<EndpointSlice>, carriers: readonly Carrier[]): Traffic => {
  const waiting = new Map<string, Set<() => void>>()
  const look = (address: string): void => {
    if (isServing(slices, address)) return
    for (const resolve of waiting.get(address) ?? []) resolve()
    waiting.delete(address)
  }
  slices.onChange((change) => {
    if (waiting.size === 0) return
    for (const address of addressesOf(change)) if (waiting.has(address)) look(address)
  })
  return {
    async withdrawn(address, signal) {
      const told = new Promise<void>((resolve) => {
        waiting.set(address, (waiting.get(address) ?? new Set()).add(resolve))
        look(address)
        void aborted(signal).then(() => {
          waiting.delete(address)
          resolve()
        })
      })
      await told
      if (!signal.aborted) await Promise.all(carriers.map((carrier) => carrier.settled()))
    },
  }
}

/** Whether any slice offers the address for new connections. A terminating endpoint is only the last resort. */
const isServing = (slices: Informer<EndpointSlice>, address: string): boolean =>
  slices
    .byIndex('address', address)
    .some((slice) =>
      (slice.endpoints ?? []).some(
        ({ addresses, conditions }) =>
          addresses[0] === address && conditions?.ready !== false && conditions?.terminating !== true,
      ),
    )

const addressesOf = (change: Change<EndpointSlice>): readonly string[] => [
  ...addressIndex.address(change.object),
  ...(change.type === 'updated' ? addressIndex.address(change.previous) : []),
]
