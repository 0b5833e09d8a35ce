import type { Owns, ReadChain, ReadRule, TableName } from './objects.ts'
import { parseRule } from './parse-rule.ts'

/** Reads the answer of `iptables-save`. Tables that we never touch are left out; fails on what no version of it prints, as guessing would delete what is right. */
export const parseSaved = (text: string, owns: Owns): readonly ReadChain[] => {
  const chains = new Map<string, MutableChain>()
  let table: TableName | undefined
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = TABLES.find((name) => name === line.slice(1))
    else if (line.startsWith(':')) {
      if (table !== undefined) addChain(chains, table, { line, owns })
    } else if (line.startsWith('-A ')) {
      if (table !== undefined) addRule(chains, table, { line, owns })
    } else if (/^# Table `(?:nat|filter|mangle)' is incompatible/.test(line)) throw incompatible(line)
    else if (line !== '' && line !== 'COMMIT' && !line.startsWith('#')) throw unknown(line)
  }
  return [...chains.values()].filter(({ isOwned, rules }) => isOwned || rules.length > 0)
}

const TABLES: readonly TableName[] = ['nat', 'filter', 'mangle']

interface MutableChain extends ReadChain {
  readonly rules: ReadRule[]
}

interface Line {
  readonly line: string
  readonly owns: Owns
}

const addChain = (chains: Map<string, MutableChain>, table: TableName, { line, owns }: Line): void => {
  const [, chain = '', policy] = /^:(\S+) (\S+)/.exec(line) ?? []
  if (chain === '') throw unknown(line)
  chains.set(`${table} ${chain}`, { table, chain, isBuiltIn: policy !== '-', isOwned: owns(table, chain), rules: [] })
}

const addRule = (chains: Map<string, MutableChain>, table: TableName, { line, owns }: Line): void => {
  const end = line.indexOf(' ', 3)
  const chain = chains.get(`${table} ${end < 0 ? line.slice(3) : line.slice(3, end)}`)
  if (chain === undefined) throw unknown(line)
  const text = end < 0 ? '' : line.slice(end + 1)
  if (chain.isOwned) {
    chain.rules.push({ text, rule: parseRule(text) })
    return
  }
  const [, target] = / -[jg] (\S+)(?: |$)/.exec(` ${text}`) ?? []
  if (target !== undefined && owns(table, target)) chain.rules.push({ text, rule: parseRule(text) })
}

const unknown = (line: string): Error => new Error(`iptables-save: ${JSON.stringify(line.slice(0, 200))} is of an unknown form`)

const incompatible = (line: string): Error =>
  new Error(
    `iptables-save: ${line.slice(2).replace(/,.*/, '')}: somebody put rules into it with nft; move them to a table of their own, or choose --proxy-mode=nftables`,
  )
