import { HostError } from '../../../host/index.ts'
import { type CIDR, cidrsOverlap, parseCIDR } from '../../../ip/index.ts'
import { type Element, type Hook, type NamedSet, RefusedElements } from '../index.ts'

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
  rules: FakeRule[]
}

interface FakeRule {
  readonly text: string
  /** Its comment. */
  readonly mark: string
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
    case 'delete set':
    case 'delete map':
      deleteSet(table, rest)
      return
    case 'delete chain':
      deleteChain(table, rest)
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
  const [, name = '', rule = '', mark = ''] = /^([\w-]+) (.+?)(?: comment "([^"]*)")?$/.exec(text) ?? []
  for (const [, target = ''] of rule.matchAll(/(?:goto|jump) ([\w-]+)/g)) chainOf(table, target)
  for (const [, set = ''] of rule.matchAll(/@([\w-]+)/g)) setOf(table, set)
  chainOf(table, name).rules.push({ text: rule, mark })
}

const deleteChain = (table: FakeTable, name: string): void => {
  chainOf(table, name)
  const leads = (text: string): boolean => new RegExp(`(?:goto|jump) ${name}$`).test(text)
  const isUsed =
    [...table.chains.values()].some((chain) => chain.rules.some(({ text }) => leads(text))) ||
    [...table.sets.values()].some(({ elements }) => [...elements.values()].some(leads))
  if (isUsed) throw busy(`chain ${name}`)
  table.chains.delete(name)
}

const deleteSet = (table: FakeTable, name: string): void => {
  setOf(table, name)
  const isUsed = [...table.chains.values()].some(({ rules }) =>
    rules.some(({ text }) => new RegExp(`@${name}(?: |$)`).test(text)),
  )
  if (isUsed) throw busy(`set ${name}`)
  table.sets.delete(name)
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
    const element = { set: name, key, ...(value === '' ? {} : { value }) }
    if (verb === 'delete') {
      if (!elements.delete(key)) throw refused(table, element, ['ENOENT', 'No such file or directory'])
      continue
    }
    if ((value === '') !== (spec.data === undefined)) throw refused(table, element, ['EINVAL', 'Invalid argument'])
    const [, target] = /^goto (.+)$/.exec(value) ?? []
    if (target !== undefined && !table.chains.has(target)) throw refused(table, element, ['ENOENT', 'No such file or directory'])
    if (elements.has(key) && elements.get(key) !== value) throw refused(table, element, ['EEXIST', 'File exists'])
    if (!elements.has(key) && overlaps({ spec, elements }, key)) throw refused(table, element, ['EEXIST', 'File exists'])
    elements.set(key, value)
  }
}

/** Whether an interval shares addresses with one that is there. Intervals are in the last field. */
const overlaps = ({ spec, elements }: FakeSet, key: string): boolean => {
  if (spec.flags?.includes('interval') !== true) return false
  const [before, own] = lastField(key)
  return [...elements.keys()].some((each) => {
    const [otherBefore, other] = lastField(each)
    return before === otherBefore && own !== undefined && other !== undefined && cidrsOverlap(own, other)
  })
}

const lastField = (key: string): readonly [string, CIDR | undefined] => {
  const at = key.lastIndexOf(' . ')
  const last = at < 0 ? key : key.slice(at + 3)
  return [key.slice(0, Math.max(at, 0)), parseCIDR(last.includes('/') ? last : `${last}/${last.includes(':') ? 128 : 32}`)]
}

const refused = ({ family }: FakeTable, element: Element, [code, reason]: readonly [string, string]): RefusedElements =>
  new RefusedElements({ family, name: 'of the fake' }, [{ element, code, reason }])

const busy = (what: string): HostError =>
  new HostError(`nft: ${what}: Device or resource busy`, { code: 'EBUSY', command: ['netlink', 'nft'] })
