import type { Hook, NamedSet } from '../index.ts'

export interface FakeTable {
  readonly family: 'ip' | 'ip6'
  readonly sets: Map<string, FakeSet>
  readonly chains: Map<string, FakeChain>
}

export interface FakeSet {
  readonly spec: NamedSet
  /** Value by key; empty for sets. */
  readonly elements: Map<string, string>
}

interface FakeChain {
  readonly hook: Hook | undefined
  rules: string[]
}

/** Runs one command of a rendered transaction. Fails on text that it does not know and on what the kernel refuses. */
export const runLine = (tables: Map<string, FakeTable>, line: string): void => {
  const [, verb, object, family, tableName, rest = ''] =
    /^(add|delete|flush) (table|set|map|chain|rule|element) (ip6?) ([\w-]+)(?: (.*))?$/.exec(line) ?? []
  if (verb === undefined || tableName === undefined) throw unknown(line)
  const id = `${family} ${tableName}`
  if (object === 'table') {
    if (verb === 'delete') tables.delete(id)
    else if (!tables.has(id)) tables.set(id, { family: family === 'ip6' ? 'ip6' : 'ip', sets: new Map(), chains: new Map() })
    return
  }
  const table = tables.get(id)
  if (table === undefined) throw new Error(`nft: No such file or directory: ${line.slice(0, 200)}`)
  switch (`${verb} ${object}`) {
    case 'add set':
    case 'add map':
      addSet(table, rest)
      return
    case 'add chain':
      addChain(table, rest)
      return
    case 'flush chain':
      chainOf(table, rest).rules = []
      return
    case 'add rule':
      addRule(table, rest)
      return
    case 'add element':
    case 'delete element':
      changeElements(table, verb, rest)
      return
    default:
      throw unknown(line)
  }
}

const unknown = (text: string): Error => new Error(`fake nft: ${JSON.stringify(text.slice(0, 200))} is unknown`)

const addSet = (table: FakeTable, text: string): void => {
  const [, name = '', type = '', data, size, flags] =
    /^([\w-]+) \{ type ([\w. ]+?)(?: : ([\w. ]+?))? ;(?: size (\d+) ;)?(?: flags ([\w,]+) ;)? \}$/.exec(text) ?? []
  if (name === '') throw unknown(text)
  const known = (['interval', 'dynamic', 'timeout'] as const).filter((flag) => flags?.split(',').includes(flag))
  const spec: NamedSet = {
    name,
    type: type.split(' . '),
    ...(data === undefined ? {} : { data: data.split(' . ') }),
    ...(known.length === 0 ? {} : { flags: known }),
    ...(size === undefined ? {} : { size: Number(size) }),
  }
  if (!table.sets.has(name)) table.sets.set(name, { spec, elements: new Map() })
}

const addChain = (table: FakeTable, text: string): void => {
  const [, name = '', type, hook, priority] =
    /^([\w-]+)(?: \{ type (nat) hook (prerouting|output|postrouting) priority (-?\d+) ; policy accept ; \})?$/.exec(text) ?? []
  if (name === '') throw unknown(text)
  if (table.chains.has(name)) return
  // The expression lets through nothing else.
  const base = type === undefined ? undefined : ({ type: 'nat', hook, priority: Number(priority) } as Hook)
  table.chains.set(name, { hook: base, rules: [] })
}

const chainOf = (table: FakeTable, name: string): FakeChain => {
  const chain = table.chains.get(name)
  if (chain === undefined) throw new Error(`nft: No such file or directory: chain ${name}`)
  return chain
}

const addRule = (table: FakeTable, text: string): void => {
  const [, name = '', rule = ''] = /^([\w-]+) (.+)$/.exec(text) ?? []
  for (const [, target = ''] of rule.matchAll(/(?:goto|jump) ([\w-]+)/g)) chainOf(table, target)
  for (const [, set = ''] of rule.matchAll(/@([\w-]+)/g)) setOf(table, set)
  chainOf(table, name).rules.push(rule)
}

const setOf = (table: FakeTable, name: string): FakeSet => {
  const set = table.sets.get(name)
  if (set === undefined) throw new Error(`nft: No such file or directory: set ${name}`)
  return set
}

const changeElements = (table: FakeTable, verb: string, text: string): void => {
  const [, name = '', list = ''] = /^([\w-]+) \{ (.+) \}$/.exec(text) ?? []
  const { spec, elements } = setOf(table, name)
  for (const item of list.split(', ')) {
    const [key = '', value = ''] = item.split(' : ')
    if (key.split(' . ').length !== spec.type.length) throw new Error(`nft: datatype mismatch: ${item} in ${name}`)
    if (verb === 'delete') {
      if (!elements.delete(key)) throw new Error(`nft: No such file or directory: element ${key} of ${name}`)
      continue
    }
    if ((value === '') !== (spec.data === undefined)) throw new Error(`nft: ${item} does not fit ${name}`)
    const [, target] = /^goto (.+)$/.exec(value) ?? []
    if (target !== undefined) chainOf(table, target)
    if (elements.has(key) && elements.get(key) !== value) throw new Error(`nft: File exists: element ${key} of ${name}`)
    elements.set(key, value)
  }
}
