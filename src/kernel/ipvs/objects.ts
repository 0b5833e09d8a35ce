export type IPProtocol = 'tcp' | 'udp' | 'sctp'

/** Schedulers that kube-proxy documents; each is a module `ip_vs_<name>`. */
export const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'dh', 'sh', 'sed', 'nq', 'mh'] as const

export type Scheduler = (typeof SCHEDULERS)[number]

/** At what address a virtual server is; one exists at most. Addresses are canonical. */
export interface ServerAddress {
  readonly protocol: IPProtocol
  readonly address: string
  readonly port: number
}

export interface VirtualServer extends ServerAddress {
  /** One of {@link SCHEDULERS}, or what the kernel said. */
  readonly scheduler: string
  /** For how long a client stays at its real server after its last connection. */
  readonly persistentSeconds?: number
  /** What another program set besides, as `ipvsadm` prints it; never written. */
  readonly others?: string
}

export interface RealAddress {
  readonly address: string
  readonly port: number
}

/** Reached by address translation (masquerading, in the words of ipvs). */
export interface RealServer extends RealAddress {
  /** With 0 it keeps its connections and gets no new ones. */
  readonly weight: number
  /** What another program set besides, as `ipvsadm` prints it; never written. */
  readonly others?: string
}

/** One step; applied in order, each by itself. */
export type Operation =
  | { readonly kind: 'add server'; readonly server: VirtualServer }
  /** Sets all that it has, but for its real servers. */
  | { readonly kind: 'edit server'; readonly server: VirtualServer }
  /** With its real servers; what they carry ends. */
  | { readonly kind: 'delete server'; readonly server: ServerAddress }
  | { readonly kind: 'add real'; readonly server: ServerAddress; readonly real: RealServer }
  | { readonly kind: 'edit real'; readonly server: ServerAddress; readonly real: RealServer }
  /** What it carries ends. */
  | { readonly kind: 'delete real'; readonly server: ServerAddress; readonly real: RealAddress }

export interface ReadServer extends VirtualServer {
  readonly reals: readonly RealServer[]
}

/** How many connections a real server carries. */
export interface Load extends RealAddress {
  readonly weight: number
  readonly active: number
  readonly inactive: number
}

/** For how long silent connections are remembered, in seconds. */
export interface Timeouts {
  readonly tcp: number
  /** After a FIN. */
  readonly tcpFin: number
  readonly udp: number
}

/** ipvs of one network namespace. */
export interface Ipvs {
  /** Why it cannot be used here, with this scheduler, and what to do, or undefined. Changes nothing that stays, but may load modules. */
  probe(scheduler: Scheduler): Promise<string | undefined>
  /** In one process. Rejects with `HostError` when any step is refused; the others are done all the same. */
  commit(operations: readonly Operation[]): Promise<void>
  /** All virtual servers that have an address; those of firewall marks are others' and left out. Aborting `signal` rejects with its reason. */
  read(signal?: AbortSignal): Promise<readonly ReadServer[]>
  timeouts(): Promise<Timeouts>
  /** Those that are left out stay as they are. */
  setTimeouts(timeouts: Partial<Timeouts>): Promise<void>
  /** The real servers of one virtual server with their connections; undefined when there is no such server. */
  loads(server: ServerAddress): Promise<readonly Load[] | undefined>
}

/** As messages name it: `tcp 10.96.0.10:80`, `udp [fd00::1]:53`. */
export const serverText = ({ protocol, ...target }: ServerAddress): string => `${protocol} ${realText(target)}`

export const realText = ({ address, port }: RealAddress): string => `${address.includes(':') ? `[${address}]` : address}:${port}`
