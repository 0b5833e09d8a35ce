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
  /** As `nft flush ruleset`. */
  flushRuleset(): void
}

/** nftables without a kernel: it reads the rendered text, strict as the kernel is about what exists and what does not. */
export const fakeNft = (random: () => number = Math.random): FakeNft => {
  let tables = new Map<string, FakeTable>()
  const committed: string[] = []
  const failures: Error[] = []
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
        chains: [...table.chains.keys()],
        elements: sets
          .filter(({ spec }) => spec.flags?.includes('timeout') !== true)
          .flatMap(({ spec, elements }) =>
            [...elements].map(([key, value]) => (value === '' ? { set: spec.name, key } : { set: spec.name, key, value })),
          ),
      }
    },
    evaluate: (packet) => evaluate(tables, packet, random),
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
    flushRuleset: () => tables.clear(),
  }
}
