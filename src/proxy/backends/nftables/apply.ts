import type { IPFamily } from '../../../ip/index.ts'
import type { Command, Element, NamedSet, Nft, Table, TableContents } from '../../../kernel/nft/index.ts'
import type { Difference } from './diff.ts'
import { type ChainLayout, chainsOfVerdict, fixedChains, setsOf } from './layout.ts'

/** One family's table in the kernel. */
export interface LiveTable {
  /** The elements that are there; what is there in another shape than ours goes with the next `apply`. */
  open(): Promise<readonly Element[]>
  /** One transaction; the first after `open` also puts chains and rules right. */
  apply(difference: Difference): Promise<void>
}

export const createLiveTable = (nft: Nft, table: Table, family: IPFamily): LiveTable => {
  let chains = new Set<string>()
  let prepare: readonly Command[] = []
  return {
    async open() {
      const contents = await nft.readTable(table)
      const isOurs = contents !== undefined && hasOurSets(contents, family)
      chains = new Set()
      const fixed = fixedChains(family)
      // Rules are written again, also those of chains that still have verdicts leading to them: whoever changed them, they are right then.
      const known = new Set(fixed.map(({ name }) => name))
      const others = isOurs
        ? contents.chains.filter(({ name }) => !known.has(name)).flatMap(({ name }) => chainsOfVerdict(family, `goto ${name}`))
        : []
      prepare = [
        ...(contents === undefined || isOurs ? [] : [{ kind: 'delete table' as const }]),
        { kind: 'add table' },
        ...setsOf(family).map((set) => ({ kind: 'add set' as const, set })),
        ...chainCommands([...fixed, ...others], chains),
      ]
      return isOurs ? elementsOf(contents) : []
    },
    async apply({ remove, add }) {
      if (prepare.length === 0 && remove.length === 0 && add.length === 0) return
      const before = new Set(chains)
      const wanted = new Set(add.flatMap(({ value }) => (value?.startsWith('goto ') === true ? [value] : [])))
      const commands: Command[] = [
        ...prepare,
        ...chainCommands(
          [...wanted].flatMap((verdict) => chainsOfVerdict(family, verdict)),
          chains,
        ),
        ...(remove.length === 0 ? [] : [{ kind: 'delete elements' as const, elements: remove }]),
        ...(add.length === 0 ? [] : [{ kind: 'add elements' as const, elements: add }]),
      ]
      try {
        await nft.commit({ table, commands })
        prepare = []
      } catch (error) {
        chains = before
        throw error
      }
    },
  }
}

const elementsOf = ({ elements }: TableContents): readonly Element[] =>
  [...elements].flatMap(([set, members]) =>
    [...members].map(([key, value]) => (value === '' ? { set, key } : { set, key, value })),
  )

/** All chains before any rule, so that rules may name any of them. */
const chainCommands = (layouts: readonly ChainLayout[], known: Set<string>): readonly Command[] => {
  const missing = layouts.filter(({ name }) => !known.has(name) && known.add(name))
  return [
    ...missing.map(({ rules: _, ...chain }) => ({ kind: 'add chain' as const, chain })),
    ...missing.map(({ name, rules }) => ({ kind: 'set rules' as const, chain: name, rules })),
  ]
}

/** A set of another shape cannot be changed, only replaced with its table. */
const hasOurSets = ({ sets }: TableContents, family: IPFamily): boolean => {
  const found = new Map(sets.map((set) => [set.name, shapeOf(set)]))
  return setsOf(family).every((set) => found.get(set.name) === shapeOf(set)) && found.size === setsOf(family).length
}

/** nft 1.0.6 leaves the flag `dynamic` out of its answer. */
const shapeOf = ({ type, data = [], flags = [], size }: NamedSet): string =>
  JSON.stringify([type, data, flags.filter((flag) => flag !== 'dynamic'), size])
