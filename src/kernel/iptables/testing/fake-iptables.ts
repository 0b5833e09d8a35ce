import type { IPFamily } from '../../../ip/index.ts'
import { type Flavour, type Iptables, type Place, renderInBatches, type TableName } from '../index.ts'
import { parseSaved } from '../read-back.ts'
import { evaluate, type FakePacket, type FakeState, type FakeVerdict } from './evaluate.ts'
import { type FakeTable, runRestore, saveText } from './fake-tables.ts'

export interface FakeIptables extends Iptables {
  /** Through the rules of a flavour (nft unless told), in the packet's family. */
  evaluate(packet: FakePacket, flavour?: Flavour): FakeVerdict
  /** Inputs of each restore so far. */
  readonly restored: readonly string[]
  /** The next restores fail before anything is changed, instead of failures that were told before and not met. */
  failNext(...errors: readonly Error[]): void
  /** The next restore ends after that many tables: what they say stays. */
  failAfter(tables: number | undefined): void
  /** As another process with `iptables-restore --noflush`. */
  run(place: Place, input: string): void
  /** As `iptables -F` and `-X` in a table, or all of them. */
  flush(table?: TableName): void
  saved(place: Place): string
}

export interface FakeOptions {
  readonly random?: () => number
  /** In seconds. */
  readonly now?: () => number
  /** Lines that the kernel refuses. */
  readonly refuses?: RegExp
  /** What is said of families and flavours that do not work. */
  readonly broken?: Readonly<Partial<Record<IPFamily | Flavour, string>>>
}

/** iptables without a kernel: it reads the rendered text, strict as the tools and the kernel are. */
export const fakeIptables = ({ random = Math.random, now = () => 0, broken = {}, refuses }: FakeOptions = {}): FakeIptables => {
  const worlds = new Map<string, Map<TableName, FakeTable>>()
  const states = new Map<string, FakeState>()
  const restored: string[] = []
  const failures: Error[] = []
  let tablesLeft: number | undefined
  const idOf = ({ flavour, family }: Place): string => `${flavour} ${family}`
  const worldOf = (place: Place): Map<TableName, FakeTable> => ensure(worlds, idOf(place), () => new Map())
  return {
    restored,
    async choose(wanted) {
      const flavour = (wanted === undefined ? (['nft', 'legacy'] as const) : [wanted]).find((each) => broken[each] === undefined)
      if (flavour === undefined) return { obstacle: broken[wanted ?? 'nft'] ?? '' }
      return { flavour, why: 'the fake', without: broken.IPv6 === undefined ? {} : { IPv6: broken.IPv6 } }
    },
    available: async () => (['nft', 'legacy'] as const).filter((flavour) => broken[flavour] === undefined),
    async restore(place, transaction) {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      for (const input of renderInBatches(transaction)) {
        const left = tablesLeft
        tablesLeft = undefined
        runRestore(worldOf(place), left === undefined ? input : firstTables(input, left), refuses)
        if (left !== undefined) throw new Error('iptables-restore: killed')
        restored.push(input)
      }
    },
    read: async (place, owns) => parseSaved(saveText(worldOf(place), place.family === 'IPv6'), owns),
    hasRules: async (place, table, chain) => (worldOf(place).get(table)?.get(chain)?.rules.length ?? 0) > 0,
    evaluate(packet, flavour = 'nft') {
      const place: Place = { flavour, family: packet.source.includes(':') ? 'IPv6' : 'IPv4' }
      const state = ensure(states, idOf(place), () => ({ random, now, seen: new Map() }))
      return evaluate(worldOf(place), packet, state)
    },
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
    failAfter: (tables) => {
      tablesLeft = tables
    },
    run: (place, input) => runRestore(worldOf(place), input),
    flush(table) {
      for (const world of worlds.values())
        for (const name of table === undefined ? [...world.keys()] : [table]) world.delete(name)
    },
    saved: (place) => saveText(worldOf(place), place.family === 'IPv6'),
  }
}

const firstTables = (input: string, count: number): string =>
  input
    .split('COMMIT\n')
    .slice(0, count)
    .map((table) => (table === '' ? '' : `${table}COMMIT\n`))
    .join('')

const ensure = <Value>(map: Map<string, Value>, key: string, make: () => Value): Value => {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
