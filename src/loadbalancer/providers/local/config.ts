import { type LabelSelector, Problems, selectorMatches, validateLabelSelector } from '../../../api/index.ts'
import {
  type Address,
  compareAddresses,
  firstAddress,
  formatAddress,
  type IPFamily,
  lastAddress,
  parseAddress,
  parseCIDR,
} from '../../../ip/index.ts'
import type { ConfigResult } from '../../provider-module.ts'

/** The class of Services that ask for this provider by name. */
export const LOCAL_CLASS = 'fairway.dev/local'

export interface LocalConfig {
  /** By priority, the narrower before the wider, then by name. */
  readonly pools: readonly Pool[]
  /** Whether Services without a class are served. */
  readonly isDefault: boolean
  readonly className: string
  readonly announce: AnnounceConfig | undefined
}

export interface Pool {
  readonly name: string
  readonly ranges: readonly AddressRange[]
  /** Given to Services that ask for nothing. */
  readonly autoAssign: boolean
  /** IPv4 addresses that end in .0 or .255 are not given by itself: some machines take them for broadcasts. */
  readonly avoidsBuggyAddresses: boolean
  /** Smaller ones first. */
  readonly priority: number
  /** Undefined: of every namespace. */
  readonly namespaces: ReadonlySet<string> | undefined
  readonly serviceSelector: LabelSelector | undefined
}

export interface AddressRange {
  readonly family: IPFamily
  readonly first: bigint
  readonly last: bigint
}

export interface AnnounceConfig {
  /** Devices of the node on which its addresses are put and told. */
  readonly interfaces: readonly string[]
  readonly leaseNamespace: string
  readonly leaseDurationMs: number
  /** As the Node is called on which this process runs. */
  readonly nodeName: string
}

/** Whether a Service may have addresses of a pool. */
export const poolAdmits = (
  { namespaces, serviceSelector }: Pool,
  service: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): boolean =>
  (namespaces === undefined || namespaces.has(service.namespace)) &&
  (serviceSelector === undefined || selectorMatches(serviceSelector, service.labels))

export const rangeContains = ({ family, first, last }: AddressRange, address: Address): boolean =>
  address.family === family && address.value >= first && address.value <= last

/** Parses the configuration file; every problem at once. */
export const readLocalConfig = (
  file: unknown,
  env: Readonly<Record<string, string | undefined>> = {},
): ConfigResult<LocalConfig> => {
  const problems: string[] = []
  const root = record(file, '', problems)
  unknownKeys(root, ['pools', 'default', 'class', 'announce'], '', problems)
  const pools = list(root['pools'], 'pools', problems).map((value, index) => readPool(value, `pools[${index}]`, problems))
  if (pools.length === 0)
    problems.push('pools: name at least one pool of addresses, such as {name: default, addresses: [192.0.2.0/24]}')
  checkApart(pools, problems)
  const config: LocalConfig = {
    pools: sortedPools(pools),
    isDefault: bool(root['default'], 'default', problems) ?? true,
    className: text(root['class'], 'class', problems) ?? LOCAL_CLASS,
    announce: root['announce'] === undefined ? undefined : readAnnounce(root['announce'], env, problems),
  }
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'config', config, warnings: [] }
}

/** The configuration of one pool that everybody may use; throws for what is no CIDR. */
export const onePool = (cidr: string): LocalConfig => {
  const result = readLocalConfig({ pools: [{ name: 'default', addresses: [cidr] }] })
  if (result.kind === 'problems') throw new Error(result.problems.join('; '))
  return result.config
}

const POOL_KEYS = ['name', 'addresses', 'autoAssign', 'avoidBuggyIPs', 'priority', 'namespaces', 'serviceSelector']

const readPool = (value: unknown, path: string, problems: string[]): Pool => {
  const pool = record(value, path, problems)
  unknownKeys(pool, POOL_KEYS, path, problems)
  const name = text(pool['name'], `${path}.name`, problems)
  if (name === undefined || name === '') problems.push(`${path}.name: a pool needs a name`)
  const addresses = list(pool['addresses'], `${path}.addresses`, problems)
  if (addresses.length === 0) problems.push(`${path}.addresses: name at least one range`)
  const namespaces = pool['namespaces'] === undefined ? undefined : list(pool['namespaces'], `${path}.namespaces`, problems)
  return {
    name: name ?? '',
    ranges: addresses.flatMap((each, index) => readRange(each, `${path}.addresses[${index}]`, problems)),
    autoAssign: bool(pool['autoAssign'], `${path}.autoAssign`, problems) ?? true,
    avoidsBuggyAddresses: bool(pool['avoidBuggyIPs'], `${path}.avoidBuggyIPs`, problems) ?? true,
    priority: integer(pool['priority'], `${path}.priority`, problems) ?? 0,
    namespaces: namespaces === undefined ? undefined : new Set(namespaces.map(String)),
    serviceSelector: readSelector(pool['serviceSelector'], `${path}.serviceSelector`, problems),
  }
}

/** A CIDR, `first-last`, or one address. */
const readRange = (value: unknown, path: string, problems: string[]): readonly AddressRange[] => {
  const written = typeof value === 'string' ? value.trim() : ''
  const cidr = parseCIDR(written)
  if (cidr !== undefined) return [{ family: cidr.family, first: firstAddress(cidr).value, last: lastAddress(cidr).value }]
  const [from = '', to = from, ...rest] = written.split('-').map((part) => part.trim())
  const [first, last] = [parseAddress(from), parseAddress(to)]
  if (first === undefined || last === undefined || rest.length > 0 || first.family !== last.family) {
    problems.push(
      `${path}: ${JSON.stringify(value)} is neither a CIDR such as 192.0.2.0/24 nor a range such as 192.0.2.10-192.0.2.20`,
    )
    return []
  }
  if (compareAddresses(first, last) > 0) {
    problems.push(`${path}: ${written} ends before it begins`)
    return []
  }
  return [{ family: first.family, first: first.value, last: last.value }]
}

const readSelector = (value: unknown, path: string, problems: string[]): LabelSelector | undefined => {
  if (value === undefined) return undefined
  // The validation below looks at every part of it.
  const selector = record(value, path, problems) as LabelSelector
  const found = new Problems()
  validateLabelSelector(found, path, selector)
  for (const { path: at, type, detail } of found.list) problems.push(`${at}: ${detail || type}`)
  return selector
}

const readAnnounce = (value: unknown, env: Readonly<Record<string, string | undefined>>, problems: string[]): AnnounceConfig => {
  const announce = record(value, 'announce', problems)
  unknownKeys(announce, ['interfaces', 'leaseNamespace', 'leaseSeconds', 'nodeName'], 'announce', problems)
  const interfaces = list(announce['interfaces'], 'announce.interfaces', problems).map(String)
  if (interfaces.length === 0) problems.push('announce.interfaces: name at least one device, such as eth0')
  for (const name of interfaces) {
    if (!/^[\w.-]{1,15}$/.test(name)) problems.push(`announce.interfaces: ${JSON.stringify(name)} is no name of a device`)
  }
  const seconds = integer(announce['leaseSeconds'], 'announce.leaseSeconds', problems) ?? 5
  if (seconds < 2 || seconds > 60) problems.push('announce.leaseSeconds: must be 2 to 60')
  const nodeName = text(announce['nodeName'], 'announce.nodeName', problems) ?? env['NODE_NAME'] ?? ''
  if (nodeName === '') problems.push('announce.nodeName: say which Node this is, here or by $NODE_NAME')
  return {
    interfaces,
    nodeName,
    leaseNamespace: text(announce['leaseNamespace'], 'announce.leaseNamespace', problems) ?? 'kube-system',
    leaseDurationMs: seconds * 1_000,
  }
}

/** One address in two pools would be of both: nobody could say whose. */
const checkApart = (pools: readonly Pool[], problems: string[]): void => {
  const all = pools.flatMap((pool) => pool.ranges.map((range) => ({ name: pool.name, range })))
  for (const [index, a] of all.entries()) {
    for (const b of all.slice(index + 1)) {
      if (!overlap(a.range, b.range)) continue
      const at = formatAddress({ family: a.range.family, value: inBoth(a.range, b.range) })
      problems.push(`pools: ${a.name} and ${b.name} both have ${at}; make their ranges apart`)
    }
  }
  const names = pools.map(({ name }) => name)
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index))) {
    problems.push(`pools: two pools are called ${name}`)
  }
}

/** The first that both have. */
const inBoth = (a: AddressRange, b: AddressRange): bigint => (b.first >= a.first && b.first <= a.last ? b.first : a.first)

const overlap = (a: AddressRange, b: AddressRange): boolean => a.family === b.family && a.first <= b.last && b.first <= a.last

const isNarrow = ({ namespaces, serviceSelector }: Pool): number =>
  namespaces === undefined && serviceSelector === undefined ? 1 : 0

const sortedPools = (pools: readonly Pool[]): readonly Pool[] =>
  [...pools].sort((a, b) => a.priority - b.priority || isNarrow(a) - isNarrow(b) || (a.name < b.name ? -1 : 1))

const record = (value: unknown, path: string, problems: string[]): Readonly<Record<string, unknown>> => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>
  problems.push(`${path || 'the file'}: must be a map`)
  return {}
}

const list = (value: unknown, path: string, problems: string[]): readonly unknown[] => {
  if (Array.isArray(value)) return value
  if (value !== undefined) problems.push(`${path}: must be a list`)
  return []
}

const typed =
  <T>(is: (value: unknown) => value is T, what: string) =>
  (value: unknown, path: string, problems: string[]): T | undefined => {
    if (value === undefined || is(value)) return value
    problems.push(`${path}: must be ${what}`)
    return undefined
  }

const text = typed((value): value is string => typeof value === 'string', 'a string')
const bool = typed((value): value is boolean => typeof value === 'boolean', 'true or false')
const integer = typed((value): value is number => Number.isSafeInteger(value), 'a whole number')

const unknownKeys = (
  object: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: string,
  problems: string[],
): void => {
  for (const key of Object.keys(object)) {
    if (!known.includes(key)) problems.push(`${path === '' ? '' : `${path}.`}${key}: is not known; there are ${known.join(', ')}`)
  }
}
