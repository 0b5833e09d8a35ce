import type { IPFamily } from '../../../../ip/index.ts'
import type { Command, Iptables, ReadChain, TableName } from '../../../../kernel/iptables/index.ts'

export interface FakeRules extends Iptables {
  rulesOf(family: IPFamily, table: TableName, chain: string): readonly string[]
  /** Changes that changed something. */
  readonly committed: readonly string[]
  /** The next restores fail before anything is changed, instead of failures that were told before and not met. */
  failNext(...errors: readonly Error[]): void
  /** As `iptables -F` and `-X` of another program. */
  flush(): void
}

const BUILT_IN = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'])
const TARGETS = new Set(['RETURN', 'DROP', 'REJECT', 'MASQUERADE', 'MARK', 'DNAT'])

type Chains = Map<string, string[]>

/** Rules as text, one flavour. Strict about chains and sets that rules name; `sets` tells which there are. */
export const fakeRules = (sets: { has(name: string): boolean; use(names: ReadonlySet<string>): void }): FakeRules => {
  const tables = new Map<string, Chains>()
  const committed: string[] = []
  const failures: Error[] = []
  const chainsOf = (family: IPFamily, table: TableName): Chains => {
    const id = `${family} ${table}`
    const known = tables.get(id) ?? new Map([...BUILT_IN].map((chain) => [chain, []]))
    tables.set(id, known)
    return known
  }
  const setsInUse = (): ReadonlySet<string> =>
    new Set([...tables.values()].flatMap((chains) => [...chains.values()].flat()).flatMap(setsNamed))
  return {
    committed,
    choose: async () => ({ flavour: 'nft', why: 'the fake', without: {} }),
    available: async () => ['nft'],
    async restore({ family }, transaction) {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      for (const { table, commands } of transaction) {
        const next = structuredClone(chainsOf(family, table))
        for (const { kind, chain } of commands) if (kind === 'set chain' || kind === 'add chain') next.set(chain, [])
        for (const command of commands) run(next, command)
        for (const command of commands) if (command.kind === 'delete chain') next.delete(command.chain)
        check(next, sets)
        tables.set(`${family} ${table}`, next)
        committed.push(...commands.map((command) => `${family} ${table} ${JSON.stringify(command)}`))
      }
      sets.use(setsInUse())
    },
    async read({ family }, owns) {
      return (['nat', 'filter', 'mangle'] as const).flatMap((table) =>
        [...chainsOf(family, table)].flatMap(([chain, rules]): ReadChain[] => {
          const isOwned = owns(table, chain)
          const kept = rules.filter((rule) => isOwned || owns(table, targetOf(rule)))
          if (!isOwned && kept.length === 0) return []
          const read = kept.map((text) => ({ text, rule: undefined }))
          return [{ table, chain, isBuiltIn: BUILT_IN.has(chain), isOwned, rules: read }]
        }),
      )
    },
    hasRules: async ({ family }, table, chain) => (chainsOf(family, table).get(chain)?.length ?? 0) > 0,
    rulesOf: (family, table, chain) => chainsOf(family, table).get(chain) ?? [],
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
    flush() {
      tables.clear()
      sets.use(new Set())
    },
  }
}

const run = (chains: Chains, command: Command): void => {
  const rules = chains.get(command.chain)
  if (rules === undefined) {
    if (command.kind === 'delete chain') return
    throw new Error(`fake iptables: no chain ${command.chain}`)
  }
  switch (command.kind) {
    case 'add chain':
    case 'set chain':
      rules.push(...command.rules)
      return
    case 'delete chain':
      rules.splice(0)
      return
    case 'insert rule':
      rules.unshift(command.rule)
      return
    case 'append rule':
      rules.push(command.rule)
      return
    case 'delete rule': {
      const at = rules.indexOf(command.rule)
      if (at < 0) throw new Error(`fake iptables: no rule ${command.rule} in ${command.chain}`)
      rules.splice(at, 1)
      return
    }
    default:
      command satisfies never
  }
}

const check = (chains: Chains, sets: { has(name: string): boolean }): void => {
  for (const rule of [...chains.values()].flat()) {
    const target = targetOf(rule)
    if (!TARGETS.has(target) && !chains.has(target)) throw new Error(`fake iptables: no chain ${target}`)
    for (const set of setsNamed(rule)) if (!sets.has(set)) throw new Error(`fake iptables: Set ${set} doesn't exist`)
  }
}

interface Words {
  readonly target: string
  readonly sets: readonly string[]
}

const known = new Map<string, Words>()

/** What a rule names; histories hold the same rules again and again. */
const wordsOf = (rule: string): Words => {
  const found = known.get(rule)
  if (found !== undefined) return found
  const sets = [...rule.matchAll(/--match-set (\S+)/g)].map(([, name = '']) => name)
  const words = { target: / -[jg] (\S+)/.exec(` ${rule}`)?.[1] ?? '', sets }
  known.set(rule, words)
  return words
}

const targetOf = (rule: string): string => wordsOf(rule).target
const setsNamed = (rule: string): readonly string[] => wordsOf(rule).sets
