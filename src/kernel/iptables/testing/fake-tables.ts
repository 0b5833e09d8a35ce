import { HostError } from '../../../host/index.ts'
import { parseRule, type Rule, renderRule, type TableName } from '../index.ts'

export interface FakeRule {
  readonly rule: Rule
  /** Canonical. */
  readonly text: string
}

export interface FakeChain {
  readonly isBuiltIn: boolean
  rules: FakeRule[]
}

/** Chains by name. */
export type FakeTable = Map<string, FakeChain>

const BUILT_IN: Readonly<Record<TableName, readonly string[]>> = {
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
}

/**
 * Does what `iptables-restore --noflush` does with an input: a table is changed at its COMMIT. Fails on text that it does not know, and on what the
 * kernel refuses.
 */
export const runRestore = (tables: Map<TableName, FakeTable>, input: string, refuses?: RegExp): void => {
  let open: { readonly name: TableName; readonly table: FakeTable } | undefined
  for (const [index, line] of input.split('\n').entries()) {
    if (line === '') continue
    if (refuses?.test(line) === true) throw refused(index, `Operation not supported: ${line}`)
    if (line.startsWith('*')) {
      const name = nameOf(line.slice(1))
      open = { name, table: structuredClone(tables.get(name)) ?? newTable(name) }
    } else if (open === undefined) throw refused(index, `no table for ${line}`)
    else if (line === 'COMMIT') {
      tables.set(open.name, open.table)
      open = undefined
    } else runLine(open.table, line, { index, table: open.name })
  }
  if (open !== undefined) throw new Error('fake iptables-restore: COMMIT expected')
}

interface At {
  readonly index: number
  readonly table: TableName
}

const nameOf = (text: string): TableName => {
  if (text === 'nat' || text === 'filter' || text === 'mangle') return text
  throw new Error(`fake iptables: table ${text} is unknown`)
}

const newTable = (name: TableName): FakeTable => new Map(BUILT_IN[name].map((chain) => [chain, { isBuiltIn: true, rules: [] }]))

const refused = (index: number, why: string): Error => {
  const stderr = `iptables-restore: line ${index + 1} failed: ${why}`
  return new HostError(stderr, { code: 'EEXIT', command: ['iptables-restore'], exitCode: 1, stderr })
}

const runLine = (table: FakeTable, line: string, at: At): void => {
  const declared = /^:([\w-]+) - \[0:0\]$/.exec(line)?.[1]
  if (declared !== undefined) {
    if (table.get(declared)?.isBuiltIn === true) throw refused(at.index, `${declared} is built in`)
    table.set(declared, { isBuiltIn: false, rules: [] })
    return
  }
  const [, verb = '', name = '', text = ''] = /^-([AIDX]) ([\w-]+)(?: (.*))?$/.exec(line) ?? []
  const chain = table.get(name)
  if (chain === undefined) throw refused(at.index, `No chain/target/match by that name: ${line}`)
  if (verb === 'X') {
    removeChain(table, name, at)
    return
  }
  const added = ruleOf(table, text, at)
  if (verb === 'A') chain.rules.push(added)
  else if (verb === 'I') chain.rules.unshift(added)
  else {
    const found = chain.rules.findIndex((rule) => rule.text === added.text)
    if (found < 0) throw refused(at.index, `Bad rule (does a matching rule exist in that chain?). (${line})`)
    chain.rules.splice(found, 1)
  }
}

const removeChain = (table: FakeTable, name: string, { index }: At): void => {
  const holders = [...table].filter(([, { rules }]) =>
    rules.some(({ rule: { target } }) => target?.kind === 'jump' && target.chain === name),
  )
  if (holders.length > 0) throw refused(index, `Too many links: ${holders[0]?.[0]} leads to ${name}`)
  if ((table.get(name)?.rules.length ?? 0) > 0) throw refused(index, `Directory not empty: ${name}`)
  table.delete(name)
}

const ruleOf = (table: FakeTable, text: string, { index, table: name }: At): FakeRule => {
  const rule = parseRule(text)
  if (rule === undefined) throw refused(index, `rule text ${JSON.stringify(text)} is unknown`)
  const { target } = rule
  if (target?.kind === 'jump' && table.get(target.chain)?.isBuiltIn !== false) {
    throw refused(index, `No chain/target/match by that name: ${target.chain}`)
  }
  const isNat = name === 'nat'
  if ((target?.kind === 'dnat' || target?.kind === 'masquerade') && !isNat) throw refused(index, 'only in the nat table')
  if (target?.kind === 'dnat' && rule.protocol === undefined) throw refused(index, 'a port needs a protocol')
  if (target?.kind === 'verdict' && target.verdict === 'DROP' && isNat) throw refused(index, 'the nat table is not for filtering')
  if (target?.kind === 'reject' && name !== 'filter') throw refused(index, 'REJECT is only for the filter table')
  if (target?.kind === 'reject' && target.with === 'tcp-reset' && rule.protocol !== 'tcp')
    throw refused(index, 'tcp-reset needs tcp')
  return { rule, text: renderRule(rule) }
}

/** As `iptables-save` prints. */
export const saveText = (tables: ReadonlyMap<TableName, FakeTable>, isIPv6: boolean): string =>
  [...tables]
    .map(([name, chains]) => {
      const heads = [...chains].map(([chain, { isBuiltIn }]) => `:${chain} ${isBuiltIn ? 'ACCEPT' : '-'} [0:0]\n`)
      const rules = [...chains].flatMap(([chain, content]) =>
        content.rules.map(({ text }) => `-A ${chain} ${asSaved(text, isIPv6)}\n`),
      )
      return `# Generated by the fake\n*${name}\n${heads.join('')}${rules.join('')}COMMIT\n`
    })
    .join('')

const asSaved = (text: string, isIPv6: boolean): string => {
  const [length, mask, unreachable] = isIPv6
    ? ['/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'icmp6-port-unreachable']
    : ['/32', '255.255.255.255', 'icmp-port-unreachable']
  return text
    .replace(/(?<=^|\s)(-[sd]) ([^\s/]+)(?= |$)/g, `$1 $2${length}`)
    .replace('--rsource', `--mask ${mask} --rsource`)
    .replace(/-j REJECT$/, `-j REJECT --reject-with ${unreachable}`)
}
