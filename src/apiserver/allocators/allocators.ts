import type { KubeObject, ServiceCIDR } from '../../api/index.ts'
import { type Clock, errorMessage, type Logger, type Running, sleep } from '../../base/index.ts'
import type { ChangeBatch, Entry, Revision, Store } from '../../store/index.ts'
import { decodeEntry } from '../cache/index.ts'
import { type AddressPool, type AddressPoolFeed, createAddressPool } from './address-pool.ts'
import { IP_ADDRESS_PREFIX, NODE_PORT_PREFIX, parseNodePortKey, SERVICE_CIDR_PREFIX } from './keys.ts'
import { createPortPool, DEFAULT_NODE_PORT_RANGE, type PortPool, type PortPoolFeed, type PortRange } from './port-pool.ts'

export interface AllocatorsOptions {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly nodePortRange?: PortRange
  /** For tests: where picks begin. */
  readonly random?: () => number
}

/** Memories of what is allocated; they follow the store from `start` on. */
export interface Allocators {
  readonly addresses: AddressPool
  readonly ports: PortPool
  /** Resolves when everything that the store acknowledged so far is in the pools. */
  synced(): Promise<void>
  /** Calls `listener` after ServiceCIDRs or IPAddresses changed; returns how to stop. */
  onChange(listener: () => void): () => void
  /** ServiceCIDRs that are being deleted. */
  leaving(): readonly ServiceCIDR[]
  start(signal: AbortSignal): Promise<Running>
}

const RETRY_MS = 200

export const createAllocators = (options: AllocatorsOptions): Allocators => {
  const { store, clock, log } = options
  const addresses = createAddressPool(options.random)
  const ports = createPortPool(options.nodePortRange ?? DEFAULT_NODE_PORT_RANGE, options.random)
  const leaving = new Map<string, ServiceCIDR>()
  const listeners = new Set<() => void>()
  const feed: Feed = { addresses, ports, leaving, changed: () => notify(listeners) }
  const progress = createProgress()
  return {
    addresses,
    ports,
    synced: () => progress.reached(store.revision),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    leaving: () => [...leaving.values()],
    async start(signal) {
      let revision: Revision | undefined = await load(store, feed)
      progress.advance(revision)
      const run = async (): Promise<void> => {
        while (!signal.aborted) {
          try {
            revision ??= await load(store, feed)
            progress.advance(revision)
            for await (const batch of store.watch('', revision, signal)) {
              applyBatch(feed, batch)
              progress.advance(batch.revision)
            }
            if (!signal.aborted) throw new Error('the watch of the store ended')
          } catch (error) {
            if (signal.aborted) break
            log.warn('allocators: the watch broke, loading again', { error: errorMessage(error) })
            revision = undefined
            await sleep(clock, RETRY_MS, signal)
          }
        }
        progress.end()
      }
      return { stopped: run() }
    },
  }
}

const notify = (listeners: ReadonlySet<() => void>): void => {
  for (const listener of listeners) listener()
}

interface Feed {
  readonly addresses: AddressPoolFeed
  readonly ports: PortPoolFeed
  readonly leaving: Map<string, ServiceCIDR>
  changed(): void
}

const load = async (store: Store, feed: Feed): Promise<Revision> => {
  const first = await store.range({ prefix: SERVICE_CIDR_PREFIX })
  const atRevision = first.revision
  const addresses = await store.range({ prefix: IP_ADDRESS_PREFIX, atRevision })
  const ports = await store.range({ prefix: NODE_PORT_PREFIX, atRevision })
  feed.addresses.clear()
  feed.ports.clear()
  feed.leaving.clear()
  for (const entry of [...first.entries, ...addresses.entries, ...ports.entries]) applyPut(feed, entry)
  feed.changed()
  return atRevision
}

const applyBatch = (feed: Feed, batch: ChangeBatch): void => {
  let changed = false
  for (const change of batch.changes) {
    if (change.type === 'put') changed = applyPut(feed, change.entry) || changed
    else changed = applyDelete(feed, change.key) || changed
  }
  if (changed) feed.changed()
}

/** True when it was about a ServiceCIDR or an IPAddress. */
const applyPut = (feed: Feed, entry: Entry): boolean => {
  const { key, modRevision } = entry
  if (key.startsWith(IP_ADDRESS_PREFIX)) {
    feed.addresses.addAddress(key.slice(IP_ADDRESS_PREFIX.length))
    return true
  }
  if (key.startsWith(SERVICE_CIDR_PREFIX)) {
    const object = decodeEntry(entry)
    if (!isServiceCIDR(object)) return false
    feed.addresses.setCIDR(object, { key, modRevision })
    if (object.metadata.deletionTimestamp === undefined) feed.leaving.delete(object.metadata.name)
    else feed.leaving.set(object.metadata.name, object)
    return true
  }
  const port = key.startsWith(NODE_PORT_PREFIX) ? parseNodePortKey(key) : undefined
  if (port !== undefined) feed.ports.add(port.protocol, port.port)
  return false
}

const applyDelete = (feed: Feed, key: string): boolean => {
  if (key.startsWith(IP_ADDRESS_PREFIX)) {
    feed.addresses.deleteAddress(key.slice(IP_ADDRESS_PREFIX.length))
    return true
  }
  if (key.startsWith(SERVICE_CIDR_PREFIX)) {
    const name = key.slice(SERVICE_CIDR_PREFIX.length)
    feed.addresses.deleteCIDR(name)
    feed.leaving.delete(name)
    return true
  }
  const port = key.startsWith(NODE_PORT_PREFIX) ? parseNodePortKey(key) : undefined
  if (port !== undefined) feed.ports.delete(port.protocol, port.port)
  return false
}

const isServiceCIDR = (object: KubeObject): object is ServiceCIDR => object.kind === 'ServiceCIDR'

interface Progress {
  advance(to: Revision): void
  reached(target: Revision): Promise<void>
  /** Wakes all who wait: nothing comes any more. */
  end(): void
}

const createProgress = (): Progress => {
  let revision = -1
  let ended = false
  const waiting = new Map<() => void, Revision>()
  const wake = (): void => {
    for (const [resolve, target] of waiting) {
      if (!ended && revision < target) continue
      waiting.delete(resolve)
      resolve()
    }
  }
  return {
    advance(to) {
      revision = to
      wake()
    },
    reached: (target) =>
      ended || revision >= target ? Promise.resolve() : new Promise((resolve) => waiting.set(resolve, target)),
    end() {
      ended = true
      wake()
    },
  }
}
