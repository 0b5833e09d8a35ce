import type { IPFamily } from '../../ip/index.ts'

/** Protocols whose entries have ports and that Services know. */
export type FlowProtocol = 'TCP' | 'UDP' | 'SCTP'

/** One end of a flow; the address in canonical text. */
export interface FlowEnd {
  readonly address: string
  readonly port: number
}

/** A flow as its packets are in one direction. */
export interface Tuple {
  readonly source: FlowEnd
  readonly destination: FlowEnd
}

/** What the kernel remembers of one flow: packets of `original` are sent on so that their answers are those of `reply`. */
export interface ConntrackEntry {
  readonly family: IPFamily
  readonly protocol: FlowProtocol
  /** As the client sends. */
  readonly original: Tuple
  /** As answers come: its source is where the flow really goes, its destination is whom the endpoint sees. */
  readonly reply: Tuple
  readonly mark: number
  /** The kernel's own name of this entry; a later one of the same flow has another. */
  readonly id: number
  /** Whether an answer was seen. */
  readonly replied: boolean
}

/** Which entries to list. */
export interface ListFilter {
  readonly family: IPFamily
  readonly protocol: FlowProtocol
  /** Only flows that the client sends to one of these; all when left out. */
  readonly destinations?: readonly FlowEnd[]
}

/**
 * The kernel's connection tracking (nf_conntrack) in one network namespace, zone 0 only: entries of other zones belong to others.
 * Failure: `HostError`; EPERM without CAP_NET_ADMIN.
 */
export interface Conntrack {
  /** Why it cannot be used here and what to do, or undefined. */
  probe(): Promise<string | undefined>
  /** Costs a walk of the whole table in the kernel; what `destinations` leaves out does not cost more than that. */
  list(filter: ListFilter): Promise<readonly ConntrackEntry[]>
  /**
   * Removes these, and gives how many were there; their next packet is judged by the rules again. An entry that ended, or was replaced by one
   * that leads elsewhere, since it was listed is left alone and not counted.
   */
  remove(entries: readonly ConntrackEntry[]): Promise<number>
}
