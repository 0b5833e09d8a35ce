import type { ReadChain, TableName } from '../../../kernel/iptables/index.ts'
import { type Release, type RuleText, readKey, type Step, textOf } from './diff-steps.ts'
import { isEntry, isList, type ListItem, lists as ourLists } from './layout.ts'

/** Chains whose rules come and go one by one: our lists, and our entries among the rules of others in the kernel's own chains. */
export interface Lists {
  acquire(item: ListItem, owner?: string): Release
  adopt(found: readonly ReadChain[]): void
  difference(): readonly Step[]
  committed(): void
  /** Undefined for a chain that is no list. */
  rulesOf(table: TableName, chain: string): readonly string[] | undefined
}

interface List {
  readonly table: TableName
  readonly chain: string
  /** Else it is the kernel's own and has rules of others. */
  readonly isOurs: boolean
  readonly items: Map<string, Item>
  readonly touched: Set<Item>
  exists: boolean
  /** What was read, until it is put right: rules that must go, and the keys in their order. */
  found: { readonly surplus: readonly string[]; readonly order: readonly string[] } | undefined
}

interface Item {
  readonly key: string
  holders: number
  owner: string | undefined
  place: ListItem['place']
  text: string
  /** The text in the kernel, with which it can be deleted. */
  committed: string | undefined
}

export const createLists = (): Lists => {
  const lists = new Map<string, List>()
  const touched = new Set<List>()
  const touch = (table: TableName, chain: string): List => {
    const id = `${table} ${chain}`
    const list = lists.get(id) ?? newList(table, chain)
    lists.set(id, list)
    touched.add(list)
    return list
  }
  // Rules lead to our lists also where they are empty.
  for (const { table, chain } of ourLists()) touch(table, chain)
  const touchItem = (list: List, { key, text }: RuleText): Item => {
    const known = list.items.get(key)
    const item: Item = known ?? { key, text, holders: 0, owner: undefined, place: 'first', committed: undefined }
    if (known === undefined) list.items.set(key, item)
    list.touched.add(item)
    return item
  }
  return {
    acquire({ table, chain, place, rule }, owner) {
      const written = textOf(rule)
      const item = touchItem(touch(table, chain), written)
      item.holders++
      item.owner = owner
      item.place = place
      item.text = written.text
      return () => void touchItem(touch(table, chain), written).holders--
    },
    adopt(found) {
      for (const list of lists.values()) {
        list.exists = !list.isOurs
        list.found = { surplus: [], order: [] }
        for (const item of list.items.values()) item.committed = undefined
        touched.add(list)
      }
      for (const each of found) adoptList(touch(each.table, each.chain), each, touchItem)
    },
    difference: () => [...touched].flatMap(stepsOf),
    committed() {
      for (const list of touched) commitList(list)
      touched.clear()
    },
    rulesOf(table, chain) {
      const list = lists.get(`${table} ${chain}`)
      return list === undefined ? undefined : wantedRules(list)
    },
  }
}

const newList = (table: TableName, chain: string): List => {
  const isOurs = isList(table, chain)
  return { table, chain, isOurs, items: new Map(), touched: new Set(), exists: !isOurs, found: undefined }
}

const adoptList = (list: List, { rules }: ReadChain, touchItem: (list: List, text: RuleText) => Item): void => {
  const surplus: string[] = []
  const order: string[] = []
  list.exists = true
  for (const read of rules) {
    const { rule } = read
    // Others may lead from the kernel's own chains to some of ours.
    if (!list.isOurs && !(rule?.target?.kind === 'jump' && isEntry(rule.target.chain))) continue
    const key = readKey(read)
    const item = touchItem(list, { key, text: read.text })
    if (item.committed === undefined) {
      item.committed = read.text
      order.push(key)
    } else surplus.push(read.text)
  }
  list.found = { surplus, order }
}

const isWanted = ({ holders }: Item): boolean => holders > 0

const wantedRules = ({ items }: List): readonly string[] => {
  const wanted = [...items.values()].filter(isWanted)
  return [...wanted.filter(({ place }) => place === 'first'), ...wanted.filter(({ place }) => place === 'last')].map(
    ({ text }) => text,
  )
}

const stepsOf = (list: List): readonly Step[] => {
  const { table, chain, isOurs, exists, found, items } = list
  if (isOurs && (!exists || isDisordered(list))) {
    const command = { kind: 'set chain', chain, rules: wantedRules(list) } as const
    return [{ table, command, drift: exists ? 'changed' : 'missing' }]
  }
  // Whatever was read, or else whatever was touched since.
  const concerned = found === undefined ? list.touched : items.values()
  const surplus = (found?.surplus ?? []).map(
    (rule): Step => ({ table, command: { kind: 'delete rule', chain, rule }, drift: 'foreign' }),
  )
  return [...surplus, ...[...concerned].flatMap((item) => itemSteps(list, item))]
}

const itemSteps = ({ table, chain }: List, item: Item): readonly Step[] => {
  const { committed, owner, place, text } = item
  if (isWanted(item) === (committed !== undefined)) return []
  if (committed !== undefined) return [{ table, command: { kind: 'delete rule', chain, rule: committed }, drift: 'foreign' }]
  const kind = place === 'first' ? 'insert rule' : 'append rule'
  return [{ table, command: { kind, chain, rule: text }, drift: 'missing', owner }]
}

/** Whether one of the last rules is before one of the first: what is put right rule by rule would stay so. */
const isDisordered = ({ found, items }: List): boolean => {
  const places = (found?.order ?? []).flatMap((key) => {
    const item = items.get(key)
    return item !== undefined && isWanted(item) ? [item.place] : []
  })
  return places.lastIndexOf('first') > (places.indexOf('last') < 0 ? places.length : places.indexOf('last'))
}

const commitList = (list: List): void => {
  const rewritten = list.isOurs && (!list.exists || isDisordered(list))
  for (const item of rewritten || list.found !== undefined ? list.items.values() : list.touched) {
    // A rule that stays keeps the text that it was found with.
    item.committed = isWanted(item) ? (rewritten ? item.text : (item.committed ?? item.text)) : undefined
    if (!isWanted(item)) list.items.delete(item.key)
  }
  list.exists = true
  list.found = undefined
  list.touched.clear()
}
