import type { IPFamily } from '../../../ip/index.ts'
import type { Chain, NamedSet, Table } from '../../../kernel/nft/index.ts'

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
    { name: 'services', type: frontend, data: ['verdict'] },
    { name: 'services-pod', type: frontend, data: ['verdict'] },
    { name: 'services-node', type: frontend, data: ['verdict'] },
    { name: 'masquerades', type: frontend, data: ['verdict'] },
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
      rules: [
        `ct status dnat ${ip} saddr . ${ip} daddr @hairpin masquerade fully-random`,
        ...PROTOCOLS.map(
          (protocol) =>
            `meta l4proto ${protocol} ct status dnat ct original ${ip} daddr . meta l4proto . ct original proto-dst vmap @masquerades`,
        ),
      ],
    },
    {
      name: 'dispatch',
      rules: [
        `${key} @restricted ${key} . ${ip} saddr != @allowed drop`,
        `${ip} saddr @pods goto from-pod`,
        'fib saddr type local goto from-node',
        'goto from-any',
      ],
    },
    { name: 'from-pod', rules: [`${key} vmap @services-pod`, 'goto from-any'] },
    { name: 'from-node', rules: [`${key} vmap @services-node`, 'goto from-any'] },
    {
      name: 'from-any',
      rules: [`${key} vmap @services`, `${ip} daddr @cluster-ips goto refuse`, `${ip} daddr @service-cidrs goto refuse`],
    },
    { name: 'refuse', rules: ['meta l4proto tcp reject with tcp reset', 'reject'] },
    {
      name: 'to-endpoint',
      rules: [
        ...PROTOCOLS.map((protocol) => `meta l4proto ${protocol} dnat ${ip} to ${key} . meta priority map @endpoints`),
        'goto refuse',
      ],
    },
    ...masqueradeChains(ip),
  ]
}

const MASQUERADE = 'masquerade fully-random'
const CLASSES = ['pod', 'node', 'outside'] as const

/** One chain for each choice of source classes; the last, all three, needs no look at the source. */
const masqueradeChains = (ip: Table['family']): readonly ChainLayout[] =>
  [1, 2, 3, 4, 5, 6, 7].map((bits) => {
    const classes = CLASSES.filter((_, index) => (bits & (1 << index)) !== 0)
    const verdict = (source: (typeof CLASSES)[number]): string => (classes.includes(source) ? MASQUERADE : 'return')
    const bySource = [`${ip} saddr @pods ${verdict('pod')}`, `fib saddr type local ${verdict('node')}`, verdict('outside')]
    return { name: masqueradeChain(classes), rules: bits === 7 ? [MASQUERADE] : bySource }
  })

export const masqueradeChain = (classes: readonly ('pod' | 'node' | 'outside')[]): string => `masquerade-${classes.join('-')}`

/** How an endpoint is chosen: the set it is of, how many there are, and for how long a client stays. */
export interface Choice {
  readonly set: 'cluster' | 'local'
  readonly count: number
  readonly timeoutSeconds: number | undefined
}

export const choiceChain = ({ set, count, timeoutSeconds }: Choice): string =>
  timeoutSeconds === undefined ? `pick-${set}-${count}` : `sticky-${set}-${count}-${timeoutSeconds}`

/** The chains that a verdict of a services map needs; the one that it names is the last. None for fixed chains. */
export const chainsOfVerdict = (family: IPFamily, verdict: string): readonly ChainLayout[] => {
  const [, kind, setName, count, timeout] = /^goto (pick|sticky)-(cluster|local)-(\d+)(?:-(\d+))?$/.exec(verdict) ?? []
  if (kind === undefined) return []
  const set = setName === 'local' ? 'local' : 'cluster'
  const pick = pickChain(set, Number(count))
  return timeout === undefined ? [pick] : [pick, stickChain(family, timeout), stickyChain(family, pick, { set, timeout })]
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
