import { formatCIDR, type IPFamily, isLoopback, parseAddress, parseCIDR, readCIDR } from '../../../ip/index.ts'
import { PROBE_CHAIN, type Rule, type TableName } from '../../../kernel/iptables/index.ts'
import { canonical, type NodeView } from '../../../model/index.ts'
import { isPortChain } from './names.ts'

/** What the rules depend on beside the Services. */
export interface LayoutOptions {
  readonly family: IPFamily
  readonly node: NodeView
  /** Connections to these ranges that no Service has are refused. */
  readonly serviceCIDRs: readonly string[]
  /** The bit of the packet mark that says: masquerade. */
  readonly masqueradeMark: number
  /** Whether NodePort addresses may be loopback ones. */
  readonly localhostNodePorts: boolean
  /** Whether conntrack's verdict on windows is ignored, so that packets it finds invalid may pass. */
  readonly isConntrackLiberal: boolean
}

/** A chain that is written whole. */
export interface ChainLayout {
  readonly table: TableName
  readonly chain: string
  readonly rules: readonly Rule[]
}

/** A rule of a list: a chain whose rules come and go one by one. Among those of one place the order means nothing. */
export interface ListItem {
  readonly table: TableName
  readonly chain: string
  readonly place: 'first' | 'last'
  readonly rule: Rule
}

export const SERVICES = 'KUBE-SERVICES'
export const NODE_PORTS = 'KUBE-NODEPORTS'
export const EXTERNAL_SERVICES = 'KUBE-EXTERNAL-SERVICES'
export const FIREWALL = 'KUBE-PROXY-FIREWALL'
export const MARK_MASQ = 'KUBE-MARK-MASQ'
/** Ours: marks what comes neither from a pod nor from this machine; only where several ranges are pods'. */
export const MARK_OUTSIDE = 'KUBE-MARK-OUTSIDE'
export const CANARY = 'KUBE-PROXY-CANARY'
const POSTROUTING = 'KUBE-POSTROUTING'
const FORWARD = 'KUBE-FORWARD'

export const TABLES: readonly TableName[] = ['filter', 'nat', 'mangle']

const LISTS: Readonly<Record<TableName, readonly string[]>> = {
  nat: [SERVICES, NODE_PORTS],
  filter: [SERVICES, EXTERNAL_SERVICES, NODE_PORTS, FIREWALL],
  mangle: [],
}
const WHOLE: Readonly<Record<TableName, readonly string[]>> = {
  nat: [MARK_MASQ, MARK_OUTSIDE, POSTROUTING, CANARY, PROBE_CHAIN],
  filter: [FORWARD, CANARY],
  mangle: [CANARY],
}

/** Every list of ours; they are there also when they are empty, as rules lead to them. */
export const lists = (): readonly { readonly table: TableName; readonly chain: string }[] =>
  TABLES.flatMap((table) => LISTS[table].map((chain) => ({ table, chain })))

export const isList = (table: TableName, chain: string): boolean => LISTS[table].includes(chain)

/** Whether a chain is one of those that this mode (or kube-proxy) writes; kubelet's are not. */
export const owns = (table: TableName, chain: string): boolean =>
  LISTS[table].includes(chain) || WHOLE[table].includes(chain) || isPortChain(table, chain)

/** Whether only we lead from the kernel's own chains to this one. Others may jump to {@link MARK_MASQ} for their own ends. */
export const isEntry = (chain: string): boolean => ENTRIES.has(chain)

const ENTRIES: ReadonlySet<string> = new Set([SERVICES, NODE_PORTS, EXTERNAL_SERVICES, FIREWALL, POSTROUTING, FORWARD])

export const jump = (chain: string): Rule['target'] => ({ kind: 'jump', chain })

export const RETURN: Rule['target'] = { kind: 'verdict', verdict: 'RETURN' }

const NEW = { states: { names: ['NEW'] } }

/** From the kernel's own chains to ours; with OUTPUT to the external ones, which kube-proxy lacks: its nodes are not refused there. */
export const entries = (): readonly ListItem[] => {
  const entry = (table: TableName, chain: string, rule: Rule): ListItem => ({ table, chain, place: 'first', rule })
  const portals = { comment: 'kubernetes service portals', target: jump(SERVICES) }
  const external = { ...NEW, comment: 'kubernetes externally-visible service portals', target: jump(EXTERNAL_SERVICES) }
  const firewall = { ...NEW, comment: 'kubernetes load balancer firewall', target: jump(FIREWALL) }
  return [
    entry('nat', 'PREROUTING', portals),
    entry('nat', 'OUTPUT', portals),
    entry('nat', 'POSTROUTING', { comment: 'kubernetes postrouting rules', target: jump(POSTROUTING) }),
    entry('filter', 'FORWARD', { comment: 'kubernetes forwarding rules', target: jump(FORWARD) }),
    entry('filter', 'INPUT', { comment: 'kubernetes health check service ports', target: jump(NODE_PORTS) }),
    ...['FORWARD', 'OUTPUT'].map((chain) => entry('filter', chain, { ...NEW, ...portals })),
    ...['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => [entry('filter', chain, external), entry('filter', chain, firewall)]),
  ]
}

/** Chains that do not depend on Services. */
export const fixedChains = (options: LayoutOptions): readonly ChainLayout[] => {
  const { masqueradeMark: bit, isConntrackLiberal } = options
  const mark = { value: bit, mask: bit }
  const pods = podRanges(options)
  const setMark: Rule = { target: { kind: 'mark', ...mark } }
  const accept = { kind: 'verdict', verdict: 'ACCEPT' } as const
  const outside: readonly Rule[] = [
    ...pods.map((cidr) => ({ source: { cidr }, target: RETURN })),
    { sourceIsLocal: true, target: RETURN },
    setMark,
  ]
  return [
    { table: 'nat', chain: MARK_MASQ, rules: [setMark] },
    ...(pods.length > 1 ? [{ table: 'nat' as const, chain: MARK_OUTSIDE, rules: outside }] : []),
    {
      table: 'nat',
      chain: POSTROUTING,
      rules: [
        { mark: { ...mark, not: true }, target: RETURN },
        // The bit is set here, so xor takes it away: nothing behind sees a mark that is ours.
        { target: { kind: 'mark', value: bit, mask: 0 } },
        { comment: 'kubernetes service traffic requiring SNAT', target: { kind: 'masquerade' } },
      ],
    },
    {
      table: 'filter',
      chain: FORWARD,
      rules: [
        // Such a packet is not translated back, so its receiver would reset the connection (kubernetes/kubernetes#74839).
        ...(isConntrackLiberal
          ? []
          : [{ states: { names: ['INVALID'] }, target: { kind: 'verdict', verdict: 'DROP' } as const }]),
        { comment: 'kubernetes forwarding rules', mark, target: accept },
        { comment: 'kubernetes forwarding conntrack rule', states: { names: ['ESTABLISHED', 'RELATED'] }, target: accept },
      ],
    },
    ...TABLES.map((table) => ({ table, chain: CANARY, rules: [{ comment: CANARY_SIGNATURE }] })),
  ]
}

/** In the canary chains: tells our rules from kube-proxy's, and a flush of rules from none. */
export const CANARY_SIGNATURE = 'fairway puts flushed rules back'

/** List rules that do not depend on Services. */
export const nodeItems = (options: LayoutOptions): readonly ListItem[] => [
  ...nodePortAddresses(options).map(
    (cidr): ListItem => ({
      table: 'nat',
      chain: SERVICES,
      place: 'last',
      rule: {
        destination: { cidr },
        comment: 'kubernetes service nodeports; NOTE: this must be the last rule in this chain',
        target: jump(NODE_PORTS),
      },
    }),
  ),
  ...ranges(options.serviceCIDRs, options.family).flatMap((cidr) => refuseAll(cidr, 'no such service')),
  ...(options.localhostNodePorts && options.family === 'IPv4' ? [LOCALNET_GUARD] : []),
]

/** Neighbours could reach loopback through `route_localnet=1` (CVE-2020-8558). */
const LOCALNET_GUARD: ListItem = {
  table: 'filter',
  chain: FIREWALL,
  place: 'first',
  rule: {
    comment: 'block incoming localnet connections',
    source: { cidr: '127.0.0.0/8', not: true },
    destination: { cidr: '127.0.0.0/8' },
    states: { names: ['DNAT'], not: true },
    target: { kind: 'verdict', verdict: 'DROP' },
  },
}

/** Refuses what no rule before it has sent elsewhere: translated packets have another destination by then. */
export const refuseAll = (cidr: string, comment: string): readonly ListItem[] =>
  [{ protocol: 'tcp' as const, target: REFUSE.tcp }, { target: REFUSE.udp }].map(
    (rest): ListItem => ({ table: 'filter', chain: SERVICES, place: 'last', rule: { destination: { cidr }, comment, ...rest } }),
  )

/** A reset where there is one: the kernel sends only a few ICMP errors a second to one client. */
export const REFUSE = {
  tcp: { kind: 'reject', with: 'tcp-reset' },
  udp: { kind: 'reject' },
  sctp: { kind: 'reject' },
} as const satisfies Readonly<Record<string, Rule['target']>>

export const podRanges = ({ node, family }: LayoutOptions): readonly string[] => ranges(node.podCIDRs, family)

/** NodePorts on loopback need `route_localnet=1`, so they are left out unless asked for. */
export const nodePortAddresses = ({ node, family, localhostNodePorts }: LayoutOptions): readonly string[] =>
  [...new Set(node.nodePortAddresses.map(canonical))].filter((text) => {
    const address = parseAddress(text)
    return address !== undefined && address.family === family && (localhostNodePorts || !isLoopback(address))
  })

/** Canonical, of the family, each once. */
const ranges = (texts: readonly string[], family: IPFamily): readonly string[] => [
  ...new Set(
    texts.flatMap((text) => {
      const cidr = readCIDR(text)?.cidr
      return cidr?.family === family ? [withoutWholeLength(formatCIDR(cidr))] : []
    }),
  ),
]

/** As rules are read back: one address has no length. */
const withoutWholeLength = (cidr: string): string => cidr.replace(/^([^:]*)\/32$|^(.*:.*)\/128$/, '$1$2')

/** Asks that the source is in a range; one that holds everything asks nothing, and iptables-save does not print it. */
export const within = (cidr: string): Rule =>
  parseCIDR(cidr)?.prefix === 0 ? {} : { source: { cidr: withoutWholeLength(cidr) } }
