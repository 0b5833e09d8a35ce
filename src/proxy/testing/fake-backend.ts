import { aborted } from '../../base/index.ts'
import { decide, type Forwarding, type NodeView, type Packet, type Target } from '../../model/index.ts'
import type { Backend, Change } from '../backend.ts'

export interface FakeBackend extends Backend {
  /** Where a packet goes now. */
  send(packet: Packet): FakeOutcome
  /** Changes so far; a test may await the next one. */
  readonly changes: readonly Change[]
  nextChange(): Promise<Change>
  readonly carried: ReadonlyMap<string, Forwarding>
  /** The next syncs reject with these errors. */
  failNext(...errors: readonly Error[]): void
}

export type FakeOutcome =
  | { readonly kind: 'reached'; readonly endpoint: string; readonly source: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'dropped' }

/** A backend without a machine: it evaluates packets by the model, with affinity, and fails when the contract is broken. */
export const fakeBackend = (): FakeBackend => {
  const carried = new Map<string, Forwarding>()
  const affinity = new Map<string, Target>()
  const changes: Change[] = []
  const failures: Error[] = []
  let waiting: ((change: Change) => void)[] = []
  let node: NodeView | undefined
  let isSyncing = false
  let turn = 0
  return {
    mode: 'fake',
    supports: new Set(['SCTP', 'IPv6', 'Drop', 'KeepsSource', 'RejectsUndefinedPorts']),
    start: async (signal) => ({ stopped: aborted(signal) }),
    async sync(change) {
      if (isSyncing) throw new Error('sync while another is pending')
      if (changes.length === 0 && !change.full) throw new Error('the first change must be full')
      isSyncing = true
      await Promise.resolve()
      isSyncing = false
      const failure = failures.shift()
      if (failure !== undefined) {
        // Applied in part, as the contract allows.
        for (const key of change.delete.slice(0, 1)) carried.delete(key)
        for (const forwarding of change.set.slice(0, 1)) carried.set(forwarding.key, forwarding)
        throw failure
      }
      if (change.full) carried.clear()
      for (const key of change.delete) carried.delete(key)
      for (const forwarding of change.set) carried.set(forwarding.key, forwarding)
      assertNoSharedFrontends(carried.values())
      node = change.node
      changes.push(change)
      const told = waiting
      waiting = []
      for (const tell of told) tell(change)
    },
    exceptions: () => [],
    cleanup: async () => carried.clear(),
    changes,
    carried,
    nextChange: () => new Promise((resolve) => waiting.push(resolve)),
    failNext: (...errors) => void failures.push(...errors),
    send(packet) {
      for (const forwarding of carried.values()) {
        const verdict = node === undefined ? { kind: 'none' as const } : decide(forwarding, packet, node)
        if (verdict.kind === 'none') continue
        if (verdict.kind !== 'dnat') return { kind: verdict.kind === 'reject' ? 'refused' : 'dropped' }
        const id = `${forwarding.key} ${verdict.matched.port.name} ${packet.protocol} ${packet.source.address}`
        const sticky = verdict.matched.port.affinityTimeoutSeconds !== undefined
        const known = sticky ? affinity.get(id) : undefined
        const candidate =
          verdict.candidates.find(({ address, port }) => known?.address === address && known.port === port) ??
          verdict.candidates[turn++ % verdict.candidates.length]
        if (candidate === undefined) continue
        affinity.set(id, candidate)
        const source = candidate.masquerade ? (node?.addresses[0] ?? '') : packet.source.address
        return { kind: 'reached', endpoint: `${candidate.address}:${candidate.port}`, source }
      }
      return { kind: 'refused' }
    },
  }
}

const assertNoSharedFrontends = (forwardings: Iterable<Forwarding>): void => {
  const owners = new Map<string, string>()
  for (const { key, family, ports } of forwardings) {
    for (const { protocol, frontends } of ports) {
      for (const { address = `NodePort ${family}`, port } of frontends) {
        const id = `${protocol} ${address} ${port}`
        const owner = owners.get(id)
        if (owner !== undefined) throw new Error(`${id} belongs to ${owner} and to ${key}`)
        owners.set(id, key)
      }
    }
  }
}
