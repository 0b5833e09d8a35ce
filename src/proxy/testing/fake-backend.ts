import { aborted } from '../../base/index.ts'
import { familyOf } from '../../ip/index.ts'
import { decide, type Forwarding, type NodeView, type Packet, type Target } from '../../model/index.ts'
import type { Backend, Change, Drift, FrontendStatus } from '../backend.ts'

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
  /** The kernel refuses this Forwarding, by its key, until it is told otherwise. */
  refuse(key: string, isRefused: boolean): void
  /** Audits wait until the promise resolves. */
  holdAudits(until: Promise<void>): void
}

export type FakeOutcome =
  | { readonly kind: 'reached'; readonly endpoint: string; readonly source: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'dropped' }

/** A backend without a machine: it evaluates packets by the model, with affinity, and fails when the contract is broken. */
export const fakeBackend = (): FakeBackend => {
  const world = createWorld()
  const changes: Change[] = []
  const failures: Error[] = []
  let waiting: ((change: Change) => void)[] = []
  let held: Promise<void> = Promise.resolve()
  const refused = new Set<string>()
  let report: (status: FrontendStatus) => void = () => {}
  const alone = createGuard()
  return {
    mode: 'fake',
    supports: new Set(['SCTP', 'IPv6', 'Drop', 'KeepsSource', 'RejectsUndefinedPorts']),
    async start(signal, tell) {
      report = tell
      return { stopped: aborted(signal) }
    },
    async sync(change) {
      if (changes.length === 0 && !change.full) throw new Error('the first change must be full')
      await alone('sync', Promise.resolve())
      const failure = failures.shift()
      if (failure !== undefined) {
        world.applyInPart(change)
        throw failure
      }
      world.apply(change)
      changes.push(change)
      for (const status of change.set.flatMap((each) => (refused.has(each.key) ? refusalOf(each) : []))) report(status)
      const telling = waiting
      waiting = []
      for (const tell of telling) tell(change)
    },
    async audit(signal) {
      if (changes.length === 0) throw new Error('audit before the first sync')
      await alone('audit', signal === undefined ? held : Promise.race([held, aborted(signal)]))
      signal?.throwIfAborted()
      return world.repair()
    },
    trace: ({ destination: { address } }) =>
      [...world.carried.values()].filter(({ clusterIP }) => clusterIP === address).map(({ key }) => `forwarding ${key}`),
    exceptions: () => [...refused].flatMap((key) => refusalOf(world.carried.get(key))),
    cleanup: async () => world.carried.clear(),
    changes,
    carried: world.carried,
    nextChange: () => new Promise((resolve) => waiting.push(resolve)),
    failNext: (...errors) => void failures.push(...errors),
    damage: (key) => void world.carried.delete(key),
    refuse: (key, isRefused) => void (isRefused ? refused.add(key) : refused.delete(key)),
    holdAudits(until) {
      held = until
    },
    send: world.send,
  }
}

const refusalOf = (forwarding: Forwarding | undefined): readonly FrontendStatus[] => {
  if (forwarding === undefined) return []
  const { key, namespace, name, clusterIP: address } = forwarding
  const ref = { key, namespace, name, kind: 'ClusterIP', protocol: 'TCP', address, port: 80 } as const
  return [{ ...ref, state: 'failed', code: 'ENOSPC', message: 'no room' }]
}

/** Throws when two calls are in work at once. */
const createGuard = () => {
  let busy: string | undefined
  return async (what: string, work: Promise<void>): Promise<void> => {
    if (busy !== undefined) throw new Error(`${what} while a ${busy} is pending`)
    busy = what
    await work
    busy = undefined
  }
}

const createWorld = () => {
  const carried = new Map<string, Forwarding>()
  /** What the backend was told; `carried` is the world. */
  const told = new Map<string, Forwarding>()
  const affinity = new Map<string, Target>()
  let node: NodeView | undefined
  let turn = 0
  return {
    carried,
    /** As the contract allows for a sync that rejects. */
    applyInPart(change: Change): void {
      for (const key of change.delete.slice(0, 1)) carried.delete(key)
      for (const forwarding of change.set.slice(0, 1)) carried.set(forwarding.key, forwarding)
    },
    apply(change: Change): void {
      for (const books of [told, carried]) {
        if (change.full) books.clear()
        for (const key of change.delete) books.delete(key)
        for (const forwarding of change.set) books.set(forwarding.key, forwarding)
      }
      assertNoSharedFrontends(carried.values(), change.node)
      node = change.node
    },
    repair(): readonly Drift[] {
      const missing = [...told].filter(([key]) => !carried.has(key))
      for (const [key, forwarding] of missing) carried.set(key, forwarding)
      return missing.map(([key]) => ({ kind: 'missing', what: `everything of ${key}`, key }))
    },
    send(packet: Packet): FakeOutcome {
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

const assertNoSharedFrontends = (forwardings: Iterable<Forwarding>, { nodePortAddresses }: NodeView): void => {
  const owners = new Map<string, string>()
  const own = (key: string, id: string): void => {
    const owner = owners.get(id)
    // A Service's NodePort gives way to an address of its own.
    if (owner !== undefined && owner !== key) throw new Error(`${id} belongs to ${owner} and to ${key}`)
    owners.set(id, key)
  }
  for (const { key, family, ports } of forwardings) {
    for (const { protocol, frontends } of ports) {
      for (const { address, notAt = [], port } of frontends) {
        if (address === undefined) own(key, `${protocol} NodePort/${family} ${port}`)
        const all = nodePortAddresses.filter((each) => familyOf(each) === family && !notAt.includes(each))
        for (const each of address === undefined ? all : [address]) own(key, `${protocol} ${each} ${port}`)
      }
    }
  }
}
