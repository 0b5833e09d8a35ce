import type { IPFamily } from '../../../ip/index.ts'
import type { TableName } from '../../../kernel/iptables/index.ts'
import type { SourceClass } from '../../../model/index.ts'
import { type SetKey, setName } from './sets.ts'

/** A chain of ours and what it holds: rules in the very text that `iptables-save` prints, so that what was told and what is there compare as text. */
export interface ChainLayout {
  readonly table: TableName
  readonly chain: string
  readonly rules: readonly string[]
}

/** A rule in one of the kernel's own chains that leads to one of ours. */
export interface Entry {
  readonly table: TableName
  readonly chain: string
  readonly rule: string
}

/** Connections to one address and port, of one class of source, that go on to another virtual server. */
export interface Redirect {
  readonly source: SourceClass
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly address: string
  readonly port: number
  /** As DNAT takes it: `10.96.0.10:80`. */
  readonly to: string
}

/** What the rules depend on. */
export interface ChainFacts {
  readonly family: IPFamily
  readonly masqueradeAll: boolean
  /** There is a local detector: what is neither pod nor node is outside the cluster. */
  readonly hasPods: boolean
  /** Of the mark for what must be masqueraded. */
  readonly masqueradeBit: number
  readonly redirects: readonly Redirect[]
}

export const isOurChain = (_: TableName, chain: string): boolean => chain.startsWith('FAIRWAY-IPVS-')

const ONLY_NEW = '-m conntrack --ctstate NEW -j'

/** Only the first packet of a connection is looked at: those that are established live through every change. */
export const ENTRIES: readonly Entry[] = [
  { table: 'mangle', chain: 'PREROUTING', rule: `${ONLY_NEW} FAIRWAY-IPVS-FIREWALL` },
  { table: 'mangle', chain: 'OUTPUT', rule: `${ONLY_NEW} FAIRWAY-IPVS-FIREWALL` },
  { table: 'nat', chain: 'PREROUTING', rule: '-j FAIRWAY-IPVS-SERVICES' },
  { table: 'nat', chain: 'OUTPUT', rule: '-j FAIRWAY-IPVS-SERVICES' },
  { table: 'nat', chain: 'POSTROUTING', rule: '-j FAIRWAY-IPVS-POSTROUTING' },
  { table: 'filter', chain: 'INPUT', rule: `${ONLY_NEW} FAIRWAY-IPVS-FILTER` },
  { table: 'filter', chain: 'FORWARD', rule: `${ONLY_NEW} FAIRWAY-IPVS-FILTER` },
  { table: 'filter', chain: 'OUTPUT', rule: `${ONLY_NEW} FAIRWAY-IPVS-FILTER` },
]

/** All chains of a family; those that rules lead to come before them. */
export const chainsOf = (facts: ChainFacts): readonly ChainLayout[] => [...firewall(facts), ...nat(facts), ...filter(facts)]

type Directions = 'src' | 'dst' | 'dst,dst' | 'dst,dst,src'

const words = ({ family }: ChainFacts) => {
  const named = (key: SetKey, directions: Directions): string => `--match-set ${setName(family, key)} ${directions}`
  return {
    within: (key: SetKey, directions: Directions): string => `-m set ${named(key, directions)}`,
    outsideOf: (key: SetKey, directions: Directions): string => `-m set ! ${named(key, directions)}`,
  }
}

/** What a rule of one class of source asks for: pods come before addresses of the node, as in the model. */
const matchOf = (facts: ChainFacts, source: SourceClass): string => {
  const { within, outsideOf } = words(facts)
  switch (source) {
    case 'pod':
      return within('PODS', 'src')
    case 'node':
      return `${outsideOf('PODS', 'src')} -m addrtype --src-type LOCAL`
    case 'outside':
      return `${outsideOf('PODS', 'src')} -m addrtype ! --src-type LOCAL`
    default:
      return source satisfies never
  }
}

const SOURCES: readonly SourceClass[] = ['pod', 'node', 'outside']

/** In mangle: what comes from this node meets ipvs before any chain of the filter table. */
const firewall = (facts: ChainFacts): readonly ChainLayout[] => {
  const { within } = words(facts)
  const dropSet = { pod: 'DROP-POD', node: 'DROP-NODE', outside: 'DROP-OUTSIDE' } as const
  return [
    {
      table: 'mangle',
      chain: 'FAIRWAY-IPVS-SOURCE-RANGES',
      rules: [
        `${within('LOAD-BALANCER-SOURCE-CIDR', 'dst,dst,src')} -j RETURN`,
        `${within('LOAD-BALANCER-SOURCE-IP', 'dst,dst,src')} -j RETURN`,
        '-j DROP',
      ],
    },
    {
      table: 'mangle',
      chain: 'FAIRWAY-IPVS-FIREWALL',
      rules: [
        `${within('LOAD-BALANCER-FW', 'dst,dst')} -j FAIRWAY-IPVS-SOURCE-RANGES`,
        ...SOURCES.map((source) => `${within(dropSet[source], 'dst,dst')} ${matchOf(facts, source)} -j DROP`),
      ],
    },
  ]
}

const nat = (facts: ChainFacts): readonly ChainLayout[] => {
  const { within } = words(facts)
  const { family, masqueradeBit, masqueradeAll, hasPods } = facts
  const mark = `0x${(2 ** masqueradeBit).toString(16)}`
  const chain = (name: string, rules: readonly string[]): ChainLayout => ({ table: 'nat', chain: `FAIRWAY-IPVS-${name}`, rules })
  const toMark = '-j FAIRWAY-IPVS-MARK-MASQ'
  const ofClusterIP = masqueradeAll ? [''] : hasPods ? [` ${matchOf(facts, 'outside')}`] : []
  return [
    chain('MARK-MASQ', [`-j MARK --set-xmark ${mark}/${mark}`]),
    // externalTrafficPolicy Local: only what comes from this node itself is masqueraded.
    chain('LOCAL', [`${matchOf(facts, 'node')} ${toMark}`]),
    chain('LOAD-BALANCER', [`${within('LOAD-BALANCER-LOCAL', 'dst,dst')} -g FAIRWAY-IPVS-LOCAL`, toMark]),
    chain('NODE-PORT', nodePortRules(facts)),
    ...SOURCES.map((source) =>
      chain(
        `FROM-${source.toUpperCase()}`,
        facts.redirects
          .filter((each) => each.source === source)
          .map(redirectRule)
          .sort(),
      ),
    ),
    chain('REDIRECT', [
      `${matchOf(facts, 'pod')} -g FAIRWAY-IPVS-FROM-POD`,
      '-m addrtype --src-type LOCAL -g FAIRWAY-IPVS-FROM-NODE',
      '-g FAIRWAY-IPVS-FROM-OUTSIDE',
    ]),
    chain('SERVICES', [
      ...ofClusterIP.map((match) => `${within('CLUSTER-IP', 'dst,dst')}${match} ${toMark}`),
      `${within('LOAD-BALANCER', 'dst,dst')} -j FAIRWAY-IPVS-LOAD-BALANCER`,
      `${within('EXTERNAL-IP', 'dst,dst')} ${toMark}`,
      `${within('EXTERNAL-IP-LOCAL', 'dst,dst')} -j FAIRWAY-IPVS-LOCAL`,
      `${within('NODE-PORT-ADDRESSES', 'dst')} -j FAIRWAY-IPVS-NODE-PORT`,
      `${within('REDIRECT', 'dst,dst')} -j FAIRWAY-IPVS-REDIRECT`,
    ]),
    chain('POSTROUTING', [
      `-m set --match-set ${setName(family, 'LOOP-BACK')} dst,dst,src -j MASQUERADE --random-fully`,
      // A process that connects to a local address has, without another choice, that very address as its source: nobody else answers to it.
      `${within('IPVS-IPS', 'src')} -j MASQUERADE --random-fully`,
      `-m mark ! --mark ${mark}/${mark} -j RETURN`,
      `-j MARK --set-xmark ${mark}/0x0`,
      '-j MASQUERADE --random-fully',
    ]),
  ]
}

const nodePortRules = (facts: ChainFacts): readonly string[] => {
  const { within } = words(facts)
  const rules = (protocol: string, [all, local]: readonly [SetKey, SetKey], directions: Directions): readonly string[] => [
    `-p ${protocol} ${within(local, directions)} -g FAIRWAY-IPVS-LOCAL`,
    `-p ${protocol} ${within(all, directions)} -j FAIRWAY-IPVS-MARK-MASQ`,
  ]
  return [
    ...rules('tcp', ['NODE-PORT-TCP', 'NODE-PORT-LOCAL-TCP'], 'dst'),
    ...rules('udp', ['NODE-PORT-UDP', 'NODE-PORT-LOCAL-UDP'], 'dst'),
    ...rules('sctp', ['NODE-PORT-SCTP-HASH', 'NODE-PORT-LOCAL-SCTP-HASH'], 'dst,dst'),
  ]
}

const redirectRule = ({ protocol, address, port, to }: Redirect): string =>
  `-d ${address}/${address.includes(':') ? 128 : 32} -p ${protocol} -m ${protocol} --dport ${port} -j DNAT --to-destination ${to}`

const filter = (facts: ChainFacts): readonly ChainLayout[] => {
  const { within } = words(facts)
  const unreachable = facts.family === 'IPv6' ? 'icmp6-port-unreachable' : 'icmp-port-unreachable'
  const known = (['CLUSTER-IP', 'LOAD-BALANCER', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL'] as const).map(
    (key) => `${within(key, 'dst,dst')} -j RETURN`,
  )
  return [
    {
      table: 'filter',
      chain: 'FAIRWAY-IPVS-REFUSE',
      rules: ['-p tcp -j REJECT --reject-with tcp-reset', `-j REJECT --reject-with ${unreachable}`],
    },
    {
      table: 'filter',
      chain: 'FAIRWAY-IPVS-FILTER',
      rules: [
        `${within('REJECT', 'dst,dst')} -j FAIRWAY-IPVS-REFUSE`,
        ...known,
        // The dummy device makes service addresses the node's own: without this, all that listens on the node could be reached by them.
        `${within('IPVS-IPS', 'dst')} -j FAIRWAY-IPVS-REFUSE`,
        `${within('SERVICE-CIDRS', 'dst')} -j FAIRWAY-IPVS-REFUSE`,
      ],
    },
  ]
}
