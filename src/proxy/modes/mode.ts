import type { Clock, Logger } from '../../base/index.ts'
import type { Exec } from '../../host/index.ts'
import type { Libc } from '../../host/native/index.ts'
import type { Conntrack } from '../../kernel/conntrack/index.ts'
import type { Backend } from '../backend.ts'
import type { LocalAddresses } from '../backends/userspace/index.ts'

/** Every value of `--proxy-mode`. */
export const PROXY_MODES = ['auto', 'nftables', 'iptables', 'ipvs', 'ebpf', 'userspace'] as const

export type ProxyMode = (typeof PROXY_MODES)[number]

/** The name of a way to carry Services; `auto` is a choice between them. */
export type ModeName = Exclude<ProxyMode, 'auto'>

/** What the modes need of the machine and of the configuration; each takes its part. */
export interface ModeDeps {
  readonly exec: Exec
  /** For netlink and bpf in process; the Debian tools are used without it. */
  readonly libc?: Libc
  /** Network namespace that `exec` acts in when it is not this process' own, such as `/run/netns/node-1`. */
  readonly namespace?: string
  readonly serviceCIDRs: readonly string[]
  /** Names what the modes make in the kernel, so that instances live side by side; `fairway` unless told. */
  readonly tableName?: string
  /** Left out when this user may not change routes. */
  readonly localAddresses?: LocalAddresses
  readonly clock: Clock
  readonly log: Logger
  /** Somebody else changed what this mode keeps in the kernel: the next audit should come soon. */
  readonly onForeignChange?: () => void
  readonly iptables?: IptablesModeOptions
  readonly ipvs?: IpvsModeOptions
  readonly ebpf?: { readonly cgroup?: string }
  readonly userspace?: { readonly drainMs?: number }
}

export interface IptablesModeOptions {
  /** The bit of the mark for what must be masqueraded; 14 unless told, as kube-proxy. */
  readonly masqueradeBit?: number
  /** NodePorts on loopback by rules; the caller sets `route_localnet=1`. Sockets (`withLoopbackNodePorts`) need no sysctl. */
  readonly localhostNodePorts?: boolean
}

export interface IpvsModeOptions {
  /** `rr` unless told. */
  readonly scheduler?: string
  readonly strictARP?: boolean
  /** In seconds; what is left out stays as the system has it. */
  readonly timeouts?: { readonly tcp?: number; readonly tcpFin?: number; readonly udp?: number }
  /** Ranges in which virtual servers are others'. */
  readonly excludeCIDRs?: readonly string[]
}

export interface OpenedBackend {
  /** The one that works, where `auto` or a substitute was asked for. */
  readonly mode: ModeName
  readonly backend: Backend
  /** For `createProxy`, where the kernel tracks the flows of this mode and lets us look at them. */
  readonly conntrack?: Conntrack
  /** Why this mode: `nftables: nft 1.0.6`, or what kept the better ones from working and how to mend it. */
  readonly reason: string
}

/** Usable, or why not and what to do about it, in one line without the mode's name. */
type ModeOffer = Pick<OpenedBackend, 'backend' | 'reason'> | { readonly refusal: string }

/** What a mode left on this machine. */
export interface Leftovers {
  /** As the mode's own tools name it: `table ip fairway`. */
  readonly found: readonly string[]
  /** Why nobody could look: a tool is missing, say. */
  readonly unknown?: string
}

/** One way to carry Services. */
export interface Mode {
  readonly name: ModeName
  /** Other modes that carry a part of their traffic by this one: it is not left over while they run. */
  readonly partOf?: readonly ModeName[]
  /** Probes the machine; changes nothing there. */
  open(deps: ModeDeps): Promise<ModeOffer>
  leftovers(deps: ModeDeps): Promise<Leftovers>
  /** Removes what {@link Mode.leftovers} finds. */
  cleanup(deps: ModeDeps): Promise<void>
}
