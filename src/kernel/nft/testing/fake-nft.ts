import {
  type Element,
  type Nft,
  type Refusal,
  RefusedElements,
  renderTransaction,
  type TableContents,
  textSet,
} from '../index.ts'
import { evaluate, type FakePacket, type FakeVerdict } from './evaluate.ts'
import { type FakeTable, runLine } from './fake-table.ts'

export interface FakeNft extends Nft {
  /** The first packet of a connection through the nat hooks of all tables. Fails on rule text that it does not know. */
  evaluate(packet: FakePacket): FakeVerdict
  /** Text of each transaction so far. */
  readonly committed: readonly string[]
  /** The next commits fail before anything is changed, instead of failures that were told before and not met. */
  failNext(...errors: readonly Error[]): void
  /** The next reads of tables fail. */
  failReads(...errors: readonly Error[]): void
  /** The kernel has no room for elements of this kind from now on; without it, for all again. */
  refuse(isRefused?: (element: Element) => boolean): void
  /** As `nft flush ruleset` by somebody else. */
  flushRuleset(): void
  /** Commands of `nft` by somebody else. */
  meddle(...lines: readonly string[]): void
}

/** nftables without a kernel: it reads the rendered text, strict as the kernel is about what exists and what does not. */
export const fakeNft = (random: () => number = Math.random): FakeNft => {
  let tables = new Map<string, FakeTable>()
  const committed: string[] = []
  const failures: Error[] = []
  const readFailures: Error[] = []
  let isRefused = (_: Element): boolean => false
  const others = createOthers()
  return {
    committed,
    probe: async () => undefined,
    async commit(transaction) {
      const text = renderTransaction(transaction)
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      const next = structuredClone(tables)
      for (const command of transaction.commands) {
        const refused = command.kind === 'add elements' ? command.elements.filter(isRefused) : []
        if (refused.length > 0) throw new RefusedElements(transaction.table, refused.map(noRoom))
      }
      for (const line of text.split('\n')) if (line !== '') runLine(next, line)
      tables = next
      committed.push(text)
    },
    async readTable({ family, name }) {
      const failure = readFailures.shift()
      if (failure !== undefined) throw failure
      const table = tables.get(`${family} ${name}`)
      if (table === undefined) return undefined
      return contentsOf(table)
    },
    watch: others.watch,
    othersChanges: async () => others.changes,
    close: async () => {},
    evaluate: (packet) => evaluate(tables, packet, random),
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
    failReads: (...errors) => void readFailures.splice(0, readFailures.length, ...errors),
    refuse: (next = () => false) => {
      isRefused = next
    },
    flushRuleset: () => others.change(new Set(tables.keys()), () => tables.clear()),
    meddle: (...lines) => {
      const touched = [...tables.keys()].filter((table) => lines.some((line) => line.includes(` ${table} `)))
      others.change(new Set(touched), () => {
        for (const line of lines) runLine(tables, line)
      })
    },
  }
}

/** Other processes, and those who listen for them. */
const createOthers = () => {
  const watchers = new Set<{ readonly tables: readonly string[]; readonly changed: (who: string) => void }>()
  const watch: Nft['watch'] = (tables, changed, signal) => {
    const watcher = { tables: tables.map(({ family, name }) => `${family} ${name}`), changed }
    watchers.add(watcher)
    signal.addEventListener('abort', () => watchers.delete(watcher), { once: true })
    return true
  }
  let changes = 0
  return {
    watch,
    get changes() {
      return changes
    },
    change(touched: ReadonlySet<string>, act: () => void): void {
      act()
      changes++
      for (const { tables, changed } of watchers) if (tables.some((table) => touched.has(table))) changed('nft (process 1)')
    },
  }
}

const contentsOf = (table: FakeTable): TableContents => {
  const sets = [...table.sets.values()]
  const written = sets.filter(({ spec }) => spec.flags?.includes('timeout') !== true)
  return {
    sets: sets.map(({ spec }) => spec),
    chains: [...table.chains].map(([name, { hook, rules }]) => ({
      name,
      ...(hook === undefined ? {} : { hook }),
      rules: rules.map(({ mark }) => mark),
    })),
    elements: new Map(written.map(({ spec, elements }) => [spec.name, textSet(new Map(elements))])),
  }
}

const noRoom = (element: Element): Refusal => ({ element, code: 'ENOSPC', reason: 'No space left on device' })
