import type { IPFamily } from '../../../ip/index.ts'
import type { Chain, Element, NamedSet, Table } from '../../../kernel/nft/index.ts'
import type { SourceClass } from '../../../model/index.ts'

/** The words of nft that differ between the families. */
interface Words {
  readonly table: Table['family']
  readonly address: 'ipv4_addr' | 'ipv6_addr'
}

export const WORDS: Readonly<Record<IPFamily, Words>> = {
  IPv4: { table: 'ip', address: 'ipv4_addr' },
  IPv6: { table: 'ip6', address: 'ipv6_addr' },
}

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const

/** A chain and what it does. */
export interface ChainLayout extends Chain {
  readonly rules: readonly string[]
}

/** Slots of the cluster set begin at 1, those of the local set here: one map holds both, and 0 is no class id that nft prints as a number. */
export const LOCAL_SLOTS = 0x8000

/** Sessions that can be remembered in one family. */
const AFFINITY_SIZE = 131_072

/** Every set and map of a table. */
export const setsOf = (family: IPFamily): readonly NamedSet[] => {
  const { address } = WORDS[family]
  const frontend = [address, 'inet_proto', 'inet_service']
  return [
    { name: 'pods', type: [address], flags: ['interval'] },
    { name: 'service-cidrs', type: [address], flags: ['interval'] },
    { name: 'cluster-ips', type: [address] },
    { name: 'restricted', type: frontend },
    { name: 'allowed', type: [...frontend, address], flags: ['interval'] },
    { name: 'hairpin', type: [address, address] },
    // Not verdicts: whenever a verdict is added the kernel checks all of its map, from every hook that leads to it.
    { name: 'services', type: frontend, data: ['classid'] },
    { name: 'services-pod', type: frontend, data: ['classid'] },
    { name: 'services-node', type: frontend, data: ['classid'] },
    { name: 'services-outside', type: frontend, data: ['classid'] },
    // Two with the same choices: what the first one leads to must not lead back to it.
    ...VERDICTS.map((name) => ({ name, type: ['classid'], data: ['verdict'] })),
    ...CLASSES.map((source) => ({ name: masquerades(source), type: frontend })),
    { name: 'endpoints', type: [...frontend, 'classid'], data: [address, 'inet_service'] },
    { name: 'ports', type: frontend, data: ['mark'] },
    { name: 'choices', type: ['mark', 'classid'], data: ['classid'] },
    { name: 'members', type: ['mark', 'classid'] },
    { name: 'members-local', type: ['mark', 'classid'] },
    { name: 'numbered', type: ['classid'], data: [address, 'inet_service'] },
    {
      name: 'affinity',
      type: family === 'IPv4' ? ['mark', address] : ['mark'],
      data: ['classid'],
      size: AFFINITY_SIZE,
      flags: ['dynamic', 'timeout'],
    },
  ]
}

/** The chains that are always there. */
export const fixedChains = (family: IPFamily): readonly ChainLayout[] => {
  const ip = WORDS[family].table
  const key = `${ip} daddr . meta l4proto . th dport`
  return [
    { name: 'prerouting', hook: { type: 'nat', hook: 'prerouting', priority: -100 }, rules: ['goto dispatch'] },
    { name: 'output', hook: { type: 'nat', hook: 'output', priority: -100 }, rules: ['goto dispatch'] },
    {
      name: 'postrouting',
      hook: { type: 'nat', hook: 'postrouting', priority: 100 },
      rules: ['ct status dnat goto masquerading'],
    },
    {
      name: 'dispatch',
      rules: [
        toVerdict(key, 'services', 'verdicts'),
        `${ip} daddr @cluster-ips goto refuse`,
        `${ip} daddr @service-cidrs goto refuse`,
      ],
    },
    {
      name: 'by-source',
      rules: [
        `${key} @restricted ${key} . ${ip} saddr != @allowed drop`,
        `${ip} saddr @pods goto from-pod`,
        'fib saddr type local goto from-node',
        'goto from-outside',
      ],
    },
    { name: 'from-pod', rules: [toVerdict(key, 'services-pod', 'verdicts-by-source'), 'goto from-outside'] },
    { name: 'from-node', rules: [toVerdict(key, 'services-node', 'verdicts-by-source'), 'goto from-outside'] },
    { name: 'from-outside', rules: [toVerdict(key, 'services-outside', 'verdicts-by-source'), 'goto refuse'] },
    { name: 'refuse', rules: ['meta l4proto tcp reject with tcp reset', 'reject'] },
    {
      name: 'to-endpoint',
      rules: [
        ...PROTOCOLS.map((protocol) => `meta l4proto ${protocol} dnat ${ip} to ${key} . meta priority map @endpoints`),
        'goto refuse',
      ],
    },
    {
      name: 'masquerading',
      rules: [
        `${ip} saddr . ${ip} daddr @hairpin ${MASQUERADE}`,
        `${ip} saddr @pods goto masquerading-pod`,
        'fib saddr type local goto masquerading-node',
        'goto masquerading-outside',
      ],
    },
    ...CLASSES.map((source) => ({
      name: `masquerading-${source}`,
      rules: PROTOCOLS.map(
        (protocol) =>
          `meta l4proto ${protocol} ct original ${ip} daddr . meta l4proto . ct original proto-dst @${masquerades(source)} ${MASQUERADE}`,
      ),
    })),
  ]
}

const MASQUERADE = 'masquerade fully-random'
const CLASSES: readonly SourceClass[] = ['pod', 'node', 'outside']

/** The set of frontends where sources of a class are masqueraded. */
export const masquerades = (source: SourceClass): string => `masquerades-${source}`

/** A frontend that is not in the map ends the rule before it is judged. */
const toVerdict = (key: string, map: string, verdicts: (typeof VERDICTS)[number]): string =>
  `meta priority set ${key} map @${map} meta priority vmap @${verdicts}`

/** What choices lead to: for `services`, and for the maps by source. */
export const VERDICTS = ['verdicts', 'verdicts-by-source'] as const

/** The maps from frontends to what becomes of their connections. */
export const SERVICES: ReadonlySet<string> = new Set(['services', 'services-pod', 'services-node', 'services-outside'])

/** What becomes of a frontend's connections, as the services maps have it: a key of `verdicts`. */
export const REFUSE = 'ffff:1'
export const DROP = 'ffff:2'
/** What becomes of it depends on the source, which costs a look at more sets and at the routes: for the few frontends that need it. */
export const BY_SOURCE = 'ffff:3'

/** The verdicts that are always there. */
export const FIXED_VERDICTS: readonly Element[] = [
  { set: 'verdicts', key: BY_SOURCE, value: 'goto by-source' },
  ...VERDICTS.flatMap((set) => [
    { set, key: REFUSE, value: 'goto refuse' },
    { set, key: DROP, value: 'drop' },
  ]),
]

/** How an endpoint is chosen: the set it is of, how many there are, and for how long a client stays. */
export interface Choice {
  readonly set: 'cluster' | 'local'
  readonly count: number
  readonly timeoutSeconds: number | undefined
}

/** A choice as the services maps have it: the count (of the local set from 0x8001 on) behind the timeout. */
export const choiceId = ({ set, count, timeoutSeconds }: Choice): string => {
  const minor = count + (set === 'local' ? LOCAL_SLOTS : 0)
  return `${(timeoutSeconds === undefined ? 0 : timeoutId(timeoutSeconds)).toString(16)}:${minor.toString(16)}`
}

/** From here on timeouts count in twos, so that a day fits 16 bits and leaves the last ones free. */
const FINE_TIMEOUTS = 0x8000

const timeoutId = (seconds: number): number =>
  seconds <= FINE_TIMEOUTS ? Math.max(seconds, 1) : FINE_TIMEOUTS + Math.ceil((seconds - FINE_TIMEOUTS) / 2)

const timeoutOf = (id: number): number => (id <= FINE_TIMEOUTS ? id : FINE_TIMEOUTS + (id - FINE_TIMEOUTS) * 2)

/** The chains and the element of `verdicts` that a value of a services map needs; the chain that it leads to is the last. None for refusals. */
export const choiceLayout = (family: IPFamily, id: string): readonly ChainLayout[] => {
  const [major = 0, minor = 0] = id.split(':').map((half) => Number.parseInt(half, 16))
  if (id === REFUSE || id === DROP || id === BY_SOURCE) return []
  const set = minor > LOCAL_SLOTS ? 'local' : 'cluster'
  const pick = pickChain(set, set === 'local' ? minor - LOCAL_SLOTS : minor)
  if (major === 0) return [pick]
  const timeout = String(timeoutOf(major))
  return [pick, stickChain(family, timeout), stickyChain(family, pick, { set, timeout })]
}

/** The value of a services map that leads to a chain of this name; undefined for other chains. */
export const choiceOfChain = (name: string): string | undefined => {
  const [, kind, setName, count, timeout] = /^(pick|sticky)-(cluster|local)-(\d+)(?:-(\d+))?$/.exec(name) ?? []
  if (kind === undefined || (kind === 'sticky') !== (timeout !== undefined)) return undefined
  const set = setName === 'local' ? 'local' : 'cluster'
  return choiceId({ set, count: Number(count), timeoutSeconds: timeout === undefined ? undefined : Number(timeout) })
}

/** Whether a chain is made for choices, and goes when nobody is led to it. */
export const isOfChoice = (chain: string): boolean => choiceOfChain(chain) !== undefined || /^stick-\d+$/.test(chain)

/** The verdicts for a choice. */
export const choiceVerdicts = (family: IPFamily, id: string): readonly Element[] => {
  const value = `goto ${choiceLayout(family, id).at(-1)?.name ?? 'refuse'}`
  return VERDICTS.map((set) => ({ set, key: id, value }))
}

const pickChain = (set: Choice['set'], count: number): ChainLayout => ({
  name: `pick-${set}-${count}`,
  rules: [numgen(set, count), 'goto to-endpoint'],
})

const numgen = (set: Choice['set'], count: number): string =>
  `meta priority set numgen random mod ${count} offset ${set === 'local' ? LOCAL_SLOTS + 1 : 1}`

const stickyChain = (
  family: IPFamily,
  pick: ChainLayout,
  { set, timeout }: { readonly set: Choice['set']; readonly timeout: string },
): ChainLayout => {
  const ip = WORDS[family].table
  const { client, hash } = affinityKey(family)
  const setPort = `ct mark set ${ip} daddr . meta l4proto . th dport map @ports`
  const portAgain = hash.length === 0 ? [] : [setPort]
  const members = set === 'local' ? 'members-local' : 'members'
  return {
    name: pick.name.replace('pick-', 'sticky-').concat(`-${timeout}`),
    rules: [
      `ct mark != 0 goto ${pick.name}`,
      setPort,
      ...hash,
      `meta priority set ${client} map @affinity ${portAgain.concat(`ct mark . meta priority @${members}`).join(' ')} goto stick-${timeout}`,
      ...pick.rules.slice(0, 1),
      ...portAgain,
      'meta priority set ct mark . meta priority map @choices',
      ...hash,
      // An update of an element that is there refreshes its timer but keeps its data.
      `delete @affinity { ${client} : meta priority }`,
      ...portAgain,
      `goto stick-${timeout}`,
    ],
  }
}

/**
 * How a client of a Service port, whose number is in `ct mark`, is looked up. nft 1.0.6 gives `update` of a map registers that overlap where the key is
 * longer than 16 bytes: an IPv6 client is known by a hash of it and the port, which takes the port's place in the mark for as long.
 */
const affinityKey = (family: IPFamily): { readonly client: string; readonly hash: readonly string[] } =>
  family === 'IPv4'
    ? { client: 'ct mark . ip saddr', hash: [] }
    : { client: 'ct mark', hash: ['ct mark set jhash ip6 saddr . ct mark mod 4294967295 seed 0xfa1'] }

const stickChain = (family: IPFamily, timeout: string): ChainLayout => {
  const ip = WORDS[family].table
  const { client, hash } = affinityKey(family)
  return {
    name: `stick-${timeout}`,
    rules: [
      ...hash,
      `update @affinity { ${client} timeout ${timeout}s : meta priority }`,
      'ct mark set 0',
      ...PROTOCOLS.map((protocol) => `meta l4proto ${protocol} dnat ${ip} to meta priority map @numbered`),
      'goto refuse',
    ],
  }
}
