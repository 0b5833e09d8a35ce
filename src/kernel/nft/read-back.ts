import { errorMessage } from '../../base/index.ts'
import { type ElementSet, textSet } from './element-set.ts'
import { shapeOf } from './fields.ts'
import type { Chain, Hook, NamedSet, TableContents } from './objects.ts'

/** Reads the answer of `nft -j list table`. Fails on anything that it does not know in a set of known types: guessing would delete what is right. */
export const parseTable = (text: string): TableContents => {
  const sets: NamedSet[] = []
  const chains = new Map<string, { readonly chain: Chain; readonly rules: string[] }>()
  const elements = new Map<string, ElementSet>()
  for (const item of listOf(fieldsOf(parseJSON(text))['nftables'])) {
    const { chain, rule, set, map } = fieldsOf(item)
    if (chain !== undefined) {
      const found = chainOf(fieldsOf(chain))
      chains.set(found.name, { chain: found, rules: [] })
    }
    if (rule !== undefined) {
      const { chain: name, comment } = fieldsOf(rule)
      chains.get(textOf(name))?.rules.push(typeof comment === 'string' ? comment : '')
    }
    const members = set ?? map
    if (members === undefined) continue
    const spec = setOf(fieldsOf(members))
    sets.push(spec)
    if (spec.flags?.includes('timeout') || shapeOf(spec) === undefined) continue
    const { elem = [] } = fieldsOf(members)
    elements.set(spec.name, textSet(new Map(listOf(elem).map((each) => elementOf(spec, each)))))
  }
  return { sets, chains: [...chains.values()].map(({ chain, rules }) => ({ ...chain, rules })), elements }
}

const chainOf = ({ name, hook, type, prio, policy }: Fields): Chain => {
  if (hook === undefined) return { name: textOf(name) }
  return {
    name: textOf(name),
    hook: {
      // Words that are not ours make a foreign chain, which is told by them.
      type: textOf(type) as Hook['type'],
      hook: textOf(hook) as Hook['hook'],
      priority: typeof prio === 'number' ? prio : Number.NaN,
      ...(policy === 'drop' ? { policy } : {}),
    },
  }
}

const setOf = (fields: Fields): NamedSet => {
  const { name, type, map, size, flags } = fields
  const known = (['interval', 'dynamic', 'timeout'] as const).filter((flag) => listOf(flags ?? []).includes(flag))
  return {
    name: textOf(name),
    type: typeof type === 'string' ? [type] : listOf(type).map(textOf),
    ...(map === undefined ? {} : { data: textOf(map).split(' . ') }),
    ...(known.length === 0 ? {} : { flags: known }),
    ...(typeof size === 'number' ? { size } : {}),
  }
}

const elementOf = (spec: NamedSet, item: unknown): readonly [string, string] => {
  if (spec.data === undefined) return [wordOf(item), '']
  const [key, value] = listOf(item)
  return [wordOf(key), wordOf(value)]
}

/** A key or value in the text that nft reads. */
const wordOf = (item: unknown): string => {
  if (typeof item === 'string') return item
  if (typeof item === 'number') return String(item)
  const { concat, prefix, range, elem, goto, jump, ...rest } = fieldsOf(item)
  if (concat !== undefined) return listOf(concat).map(wordOf).join(' . ')
  if (elem !== undefined) return wordOf(fieldsOf(elem)['val'])
  if (goto !== undefined) return `goto ${textOf(fieldsOf(goto)['target'])}`
  if (jump !== undefined) return `jump ${textOf(fieldsOf(jump)['target'])}`
  if (prefix !== undefined) {
    const { addr, len } = fieldsOf(prefix)
    return `${wordOf(addr)}/${wordOf(len)}`
  }
  if (range !== undefined) return listOf(range).map(wordOf).join('-')
  for (const verdict of ['accept', 'drop', 'return']) if (verdict in rest) return verdict
  throw new Error(`nft: element ${JSON.stringify(item).slice(0, 200)} is of an unknown form`)
}

type Fields = Readonly<Record<string, unknown>>

const parseJSON = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`nft: answer is not JSON: ${errorMessage(error)}`)
  }
}

const fieldsOf = (value: unknown): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected('an object', value)
  // A JSON object has string keys only.
  return value as Fields
}

const listOf = (value: unknown): readonly unknown[] => {
  if (!Array.isArray(value)) throw unexpected('a list', value)
  return value
}

const textOf = (value: unknown): string => {
  if (typeof value !== 'string') throw unexpected('text', value)
  return value
}

const unexpected = (wanted: string, value: unknown): Error =>
  new Error(`nft: ${wanted} was expected, not ${JSON.stringify(value ?? null).slice(0, 200)}`)
