import type { Running } from '../base/index.ts'
import type { Forwarding, FrontendKind, NodeView, Packet, Protocol } from '../model/index.ts'

/** What backends differ in; what is not listed, all of them do. Read by tests and documents, never `if (mode === ...)`. */
export type Capability =
  | 'SCTP'
  | 'IPv6'
  /** Tells sources that must be dropped nothing at all; without it they are refused. */
  | 'Drop'
  /** The endpoint sees the client's own address where the model says that nothing is masqueraded. */
  | 'KeepsSource'
  /** An undefined port of a ClusterIP is refused, whatever else listens on the node. */
  | 'RejectsUndefinedPorts'
  /** The kernel remembers the endpoint of each flow: stale ones must be removed after a change (src/proxy/conntrack). */
  | 'TracksFlows'
  /** A Service whose backend listens on a substitute port says so; only backends that bind sockets need it. */
  | 'Substitutes'

/**
 * Carries Services in one way (userspace sockets, nftables, ...).
 *
 * Order: `start` once, then `sync` one at a time, never while another is pending. Each `sync` resolves when the change carries traffic.
 * Idempotence: setting what is already there changes nothing; deleting an unknown key is no error.
 * Failure: a `sync` that rejects may have been applied in part; the caller repeats its keys in a later one. One Service that cannot be
 * carried is a {@link FrontendStatus}, never a rejection: the others go on.
 * Adoption: the first `sync` is `full`; what the backend finds in the world under its own names and the change lacks is removed,
 * what is there already is kept. No two Forwardings of a backend hold the same frontend.
 */
export interface Backend {
  readonly mode: string
  readonly supports: ReadonlySet<Capability>
  /** Takes what it needs of the machine. Aborting `signal` stops it in the mode's own way (README of the mode says what stays). */
  start(signal: AbortSignal, report: (status: FrontendStatus) => void): Promise<Running>
  sync(change: Change): Promise<void>
  /** Frontends that are not served plainly. */
  exceptions(): readonly FrontendStatus[]
  /**
   * Reads the world back, compares it with what was last told, and puts right what differs; gives what differed, nothing when all is well.
   * Called between syncs, never beside one, and not before the first. Costs what the world's size costs: for a slow, background pace.
   * Aborting `signal` ends it soon while it reads and compares, so that a sync need not wait: it rejects with the signal's reason, has changed
   * nothing, and the sync costs what it would have cost. A repair that has begun goes on to its end and is given, but the rest may not have been
   * looked at.
   */
  audit(signal?: AbortSignal): Promise<readonly Drift[]>
  /**
   * The rules, elements or listeners of this mode that a packet meets, in its order, as its own tools would print them; empty when none
   * concerns it. From the backend's own books, so nothing is read from the world. For people: {@link Backend.sync} is what counts.
   */
  trace(packet: Packet): readonly string[]
  /** Removes every trace of this mode from the machine, also of a process that was killed. Works without `start`. */
  cleanup(): Promise<void>
}

export interface Change {
  /** `set` holds everything there is: whatever else is carried must go. */
  readonly full: boolean
  readonly set: readonly Forwarding[]
  /** Keys of Forwardings. */
  readonly delete: readonly string[]
  /** As it is now; where it differs from the last change, what depends on it is brought up to date for all Services. */
  readonly node: NodeView
}

/** One thing in the world that is not as it was told. */
export interface Drift {
  readonly kind: 'missing' | 'changed' | 'foreign'
  /** Names it, as the mode's tools would: `element 10.96.0.10 . tcp . 80 of map services in table ip fairway`. */
  readonly what: string
  /** Key of the Forwarding that it belongs to, where there is one. */
  readonly key?: string
}

/** How a frontend fares that needs more than a rule. Reported on each transition. */
export type FrontendStatus = FrontendRef &
  (
    | { readonly state: 'serving' }
    /** Served on another port than asked for. */
    | { readonly state: 'substituted'; readonly substitute: number; readonly message: string }
    /** Not served; tried again by itself where that may help. */
    | { readonly state: 'failed'; readonly code: string; readonly message: string }
    /** No longer wanted. */
    | { readonly state: 'gone' }
  )

export interface FrontendRef {
  /** Key of the Forwarding. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly kind: FrontendKind
  readonly protocol: Protocol
  readonly address: string
  readonly port: number
}
