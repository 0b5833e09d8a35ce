import type { Nft } from '../index.ts'
import { renderTransaction } from '../index.ts'
import { evaluate, type FakePacket, type FakeVerdict } from './evaluate.ts'
import { type FakeTable, runLine } from './fake-table.ts'

export interface FakeNft extends Nft {
  /** The first packet of a connection through the nat hooks of all tables. Fails on rule text that it does not know. */
  evaluate(packet: FakePacket): FakeVerdict
  /** Text of each transaction so far. */
  readonly committed: readonly string[]
  /** The next commits fail before anything is changed, instead of failures that were told before and not met. */
  failNext(...errors: readonly Error[]): void
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
  const watchers = new Set<{ readonly tables: ReadonlySet<string>; readonly changed: (who: string) => void }>()
  let meddlings = 0
  const meddle = (act: () => void, isTouched: (table: string) => boolean): void => {
    meddlings++
    const concerned = [...watchers].filter((watcher) =>
      [...watcher.tables].some((table) => tables.has(table) && isTouched(table)),
    )
    act()
    for (const { changed } of concerned) changed('nft (process 1)')
  }
  return {
    committed,
    probe: async () => undefined,
    async commit(transaction) {
      const text = renderTransaction(transaction)
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      const next = structuredClone(tables)
      for (const line of text.split('\n')) if (line !== '') runLine(next, line)
      tables = next
      committed.push(text)
    },
    async readTable({ family, name }) {
      const table = tables.get(`${family} ${name}`)
      if (table === undefined) return undefined
      const sets = [...table.sets.values()]
      return {
        sets: sets.map(({ spec }) => spec),
        chains: [...table.chains].map(([name, { hook, rules }]) => ({
          name,
          ...(hook === undefined ? {} : { hook }),
          rules: rules.map(({ mark }) => mark),
        })),
        elements: new Map(
          sets
            .filter(({ spec }) => spec.flags?.includes('timeout') !== true)
            .map(({ spec, elements }) => [spec.name, new Map(elements)]),
        ),
      }
    },
    watch: (tables, changed, signal) => {
      const watcher = { tables: new Set(tables.map(({ family, name }) => `${family} ${name}`)), changed }
      watchers.add(watcher)
      signal.addEventListener('abort', () => watchers.delete(watcher), { once: true })
      return true
    },
    othersChanges: async () => meddlings,
    close: async () => {},
    evaluate: (packet) => evaluate(tables, packet, random),
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
    flushRuleset: () =>
      meddle(
        () => tables.clear(),
        () => true,
      ),
    meddle: (...lines) =>
      meddle(
        () => {
          for (const line of lines) runLine(tables, line)
        },
        (table) => lines.some((line) => line.includes(` ${table} `)),
      ),
  }
}
