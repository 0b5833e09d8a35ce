import { aborted } from '../../base/index.ts'
import { decide, type Forwarding, type NodeView, type Packet, type Target } from '../../model/index.ts'
import type { Backend, Change, Drift } from '../backend.ts'

export interface FakeBackend extends Backend {
  /** Where a packet goes now. */
  send(packet: Packet): FakeOutcome
  /** Changes so far; a test may await the next one. */
  readonly changes: readonly Change[]
  nextChange(): Promise<Change>
  readonly carried: ReadonlyMap<string, Forwarding>
  /** The next syncs reject with these errors. */
  failNext(...errors: readonly Error[]): void
  /** Somebody else removes what a Forwarding has in the world; only an audit notices. */
  damage(key: string): void
  /** Audits wait until the promise resolves. */
  holdAudits(until: Promise<void>): void
}

export type FakeOutcome =
  | { readonly kind: 'reached'; readonly endpoint: string; readonly source: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'dropped' }

/** A backend without a machine: it evaluates packets by the model, with affinity, and fails when the contract is broken. */
export const fakeBackend = (): FakeBackend => {
  const carried = new Map<string, Forwarding>()
  /** What the backend was told; `carried` is the world. */
  const told = new Map<string, Forwarding>()
  const affinity = new Map<string, Target>()
  const changes: Change[] = []
  const failures: Error[] = []
  let waiting: ((change: Change) => void)[] = []
  let node: NodeView | undefined
  let isBusy = false
  let held: Promise<void> = Promise.resolve()
  let turn = 0
  return {
    mode: 'fake',
    supports: new Set(['SCTP', 'IPv6', 'Drop', 'KeepsSource', 'RejectsUndefinedPorts']),
    start: async (signal) => ({ stopped: aborted(signal) }),
    async sync(change) {
      if (isBusy) throw new Error('sync while another sync or an audit is pending')
      if (changes.length === 0 && !change.full) throw new Error('the first change must be full')
      isBusy = true
      await Promise.resolve()
      isBusy = false
      const failure = failures.shift()
      if (failure !== undefined) {
        // Applied in part, as the contract allows.
        for (const key of change.delete.slice(0, 1)) carried.delete(key)
        for (const forwarding of change.set.slice(0, 1)) carried.set(forwarding.key, forwarding)
        throw failure
      }
      for (const books of [told, carried]) {
        if (change.full) books.clear()
        for (const key of change.delete) books.delete(key)
        for (const forwarding of change.set) books.set(forwarding.key, forwarding)
      }
      assertNoSharedFrontends(carried.values())
      node = change.node
      changes.push(change)
      const telling = waiting
      waiting = []
      for (const tell of telling) tell(change)
    },
    async audit() {
      if (isBusy) throw new Error('audit while a sync or another audit is pending')
      if (changes.length === 0) throw new Error('audit before the first sync')
      isBusy = true
      await held
      isBusy = false
      const drift: Drift[] = []
      for (const [key, forwarding] of told) {
        if (carried.has(key)) continue
        carried.set(key, forwarding)
        drift.push({ kind: 'missing', what: `everything of ${key}`, key })
      }
      return drift
    },
    trace: ({ destination: { address } }) =>
      [...told.values()].filter(({ clusterIP }) => clusterIP === address).map(({ key }) => `forwarding ${key}`),
    exceptions: () => [],
    cleanup: async () => carried.clear(),
    damage: (key) => void carried.delete(key),
    holdAudits(until) {
      held = until
    },
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
