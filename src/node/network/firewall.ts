import { type Exec, HostError } from '../../host/index.ts'

/**
 * Foreign packet filters that by default do not let packets be forwarded, such as Docker's and those of firewalls. What they let through nevertheless cannot be
 * told from here, so this is a suspicion. Empty where nobody filters, or nft is missing.
 */
export const forwardFilters = async (exec: Exec): Promise<readonly ForwardFilter[]> => {
  const [ofNft, ofLegacy] = await Promise.all([nftFilters(exec), legacyFilter(exec)])
  return [...ofNft, ...ofLegacy]
}

export interface ForwardFilter {
  /** Such as `chain FORWARD of table ip filter`. */
  readonly what: string
  /** What lets the ports of a bridge through. */
  allow(bridge: string): string
}

/** What to tell people about them. */
export const filterNote = ({ what, allow }: ForwardFilter, bridge: string): string =>
  `${what} drops what it is not told to forward: where pods do not reach Services or one another, allow it with "${allow(bridge)}"`

const nftFilters = async (exec: Exec): Promise<readonly ForwardFilter[]> => {
  const filters: ForwardFilter[] = []
  for (const { chain } of await list(exec, ['list', 'chains'])) {
    const { family, table, name, hook, policy } = chain ?? NO_CHAIN
    const isOurs = String(table).startsWith('fairway')
    if (hook !== 'forward' || isOurs || !['ip', 'inet'].includes(String(family))) continue
    const place = [family, table, name].map(String)
    const refuses = policy === 'drop' || (await endsInRefusal(exec, place))
    if (refuses) filters.push(nftFilter(place))
  }
  return filters
}

const NO_CHAIN = { family: '', table: '', name: '', hook: '', policy: '' }

const nftFilter = ([family = '', table = '', name = '']: readonly string[]): ForwardFilter => {
  const what = `chain ${name} of table ${family} ${table}`
  const isIptables = family === 'ip' && table === 'filter' && name === 'FORWARD'
  const byNft = (bridge: string) => `nft insert rule ${family} ${table} ${name} iifname ${bridge} accept`
  return { what, allow: isIptables ? iptablesRules : byNft }
}

const iptablesRules = (bridge: string): string =>
  `iptables -I FORWARD -i ${bridge} -j ACCEPT; iptables -I FORWARD -o ${bridge} -m conntrack --ctstate DNAT,ESTABLISHED,RELATED -j ACCEPT`

/** Whether the last rule of a chain, without a condition, lets nothing through, as firewalld's does. */
const endsInRefusal = async (exec: Exec, place: readonly string[]): Promise<boolean> => {
  const rules = (await list(exec, ['list', 'chain', ...place])).flatMap(({ rule }) => rule ?? [])
  const statements = rules.at(-1)?.expr
  if (!Array.isArray(statements)) return false
  const kinds = statements.flatMap((statement: unknown) =>
    typeof statement === 'object' && statement !== null ? Object.keys(statement) : [],
  )
  return (
    kinds.every((kind) => ['counter', 'log', 'drop', 'reject'].includes(kind)) && kinds.some((kind) => /drop|reject/.test(kind))
  )
}

/** The parts of libnftables-json(5) that are read here. */
interface NftObject {
  readonly chain?: Readonly<Record<'family' | 'table' | 'name' | 'hook' | 'policy', unknown>>
  readonly rule?: { readonly expr?: unknown }
}

const list = async (exec: Exec, what: readonly string[]): Promise<readonly NftObject[]> => {
  const stdout = await output(exec, ['nft', '--json', ...what])
  if (stdout === '') return []
  const answer: unknown = JSON.parse(stdout)
  const objects = typeof answer === 'object' && answer !== null && 'nftables' in answer ? answer.nftables : []
  // A list of objects, each with one object in it under the name of its kind.
  return Array.isArray(objects) ? (objects as readonly NftObject[]) : []
}

/** The legacy flavour of iptables keeps its rules where nft does not see them; asking for them would load its modules, so the kernel says first. */
const legacyFilter = async (exec: Exec): Promise<readonly ForwardFilter[]> => {
  const tables = await output(exec, ['cat', '/proc/self/net/ip_tables_names'])
  if (!tables.split('\n').includes('filter')) return []
  for (const tool of ['iptables-legacy', 'iptables']) {
    const rules = await output(exec, [tool, '-S', 'FORWARD'])
    if (rules === '') continue
    return rules.startsWith('-P FORWARD DROP') ? [{ what: 'chain FORWARD of iptables-legacy', allow: legacyRules }] : []
  }
  return []
}

const legacyRules = (bridge: string): string => iptablesRules(bridge).replaceAll('iptables', 'iptables-legacy')

/** Empty where the tool or the file is not there, or does not answer: this is about a suspicion. */
const output = async (exec: Exec, argv: readonly [string, ...string[]]): Promise<string> => {
  try {
    return (await exec(argv)).stdout
  } catch (error) {
    if (error instanceof HostError) return ''
    throw error
  }
}
