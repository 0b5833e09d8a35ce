import type { IPFamily } from '../../../ip/index.ts'
import {
  type Command,
  type LiveChain,
  type NamedSet,
  ruleMark,
  type Table,
  type TableContents,
  tableText,
} from '../../../kernel/nft/index.ts'
import type { Drift } from '../../backend.ts'
import { type ChainLayout, choiceLayout, choiceOfChain, fixedChains, setsOf } from './layout.ts'

/** What must be done so that sets, chains and rules are ours. */
export interface Structure {
  /** With or before the first elements. */
  readonly before: readonly Command[]
  /** With or after the last ones: elements that go may lead to foreign chains. */
  readonly after: readonly Command[]
  /** Chains that are there then. */
  readonly chains: ReadonlySet<string>
  /** The table goes first with all that is in it: there is none, or it has sets that cannot be changed. */
  readonly isNew: boolean
  readonly drift: readonly Drift[]
}

/** Compares sets, chains and rules with the layout. What is not ours in our table goes. */
export const structureOf = (family: IPFamily, table: Table, contents: TableContents | undefined): Structure => {
  const place = tableText(table)
  if (contents === undefined || !hasOurSets(contents, family)) {
    const drift: Drift = contents === undefined ? { kind: 'missing', what: place } : { kind: 'changed', what: `sets of ${place}` }
    const chains = fixedChains(family)
    return {
      after: [],
      before: [
        ...(contents === undefined ? [] : [{ kind: 'delete table' as const }]),
        { kind: 'add table' },
        ...setsOf(family).map((set) => ({ kind: 'add set' as const, set })),
        ...chainCommands(chains),
      ],
      chains: new Set(chains.map(({ name }) => name)),
      isNew: true,
      drift: [drift],
    }
  }
  const isDormant = contents.flags?.includes('dormant') === true
  const chains = compareChains(family, contents)
  const ours = new Set(setsOf(family).map(({ name }) => name))
  const foreignSets = contents.sets.filter(({ name }) => !ours.has(name))
  return {
    before: [...(isDormant ? [{ kind: 'add table' as const }] : []), ...chains.before],
    after: [
      ...chains.after,
      ...foreignSets.map(({ name, data }) => ({ kind: 'delete set' as const, set: name, isMap: data !== undefined })),
    ],
    chains: chains.right,
    isNew: false,
    drift: [
      ...(isDormant ? [{ kind: 'changed' as const, what: `flag dormant of ${place}` }] : []),
      ...chains.drift.map(({ kind, what }) => ({ kind, what: `${what} in ${place}` })),
      ...foreignSets.map(({ name }) => ({ kind: 'foreign' as const, what: `set ${name} in ${place}` })),
    ],
  }
}

/** All chains before any rule, so that rules may name any of them. */
export const chainCommands = (layouts: readonly ChainLayout[]): readonly Command[] => [
  ...layouts.map(({ rules: _, ...chain }) => ({ kind: 'add chain' as const, chain })),
  ...layouts.map(({ name, rules }) => ({ kind: 'set rules' as const, chain: name, rules })),
]

interface ComparedChains {
  readonly before: readonly Command[]
  readonly after: readonly Command[]
  readonly right: ReadonlySet<string>
  readonly drift: readonly Drift[]
}

const compareChains = (family: IPFamily, { chains }: TableContents): ComparedChains => {
  const fixed = fixedChains(family)
  const wanted = new Map(fixed.map((layout) => [layout.name, layout]))
  // Chains of choices are made when they are needed: those that are there must be right.
  for (const { name } of chains) {
    const choice = choiceOfChain(name)
    for (const layout of choice === undefined ? [] : choiceLayout(family, choice)) wanted.set(layout.name, layout)
  }
  const live = new Map(chains.map((chain) => [chain.name, chain]))
  const foreign = chains.filter(({ name }) => !wanted.has(name))
  const rehooked = [...wanted.values()].filter((layout) => hasOtherHook(live.get(layout.name), layout))
  const wrong = [...wanted.values()].filter((layout) => !hasRules(live.get(layout.name), layout))
  const missing = wrong.filter(({ name }) => !live.has(name))
  const rewritten = new Set([...wrong, ...rehooked])
  return {
    before: [
      // Nothing may lead to a chain that goes; a chain keeps the hook that it was made with, so those go too.
      ...[...foreign, ...rehooked].map(({ name }) => ({ kind: 'set rules' as const, chain: name, rules: [] })),
      ...rehooked.map(({ name }) => ({ kind: 'delete chain' as const, chain: name })),
      ...[...missing, ...rehooked].map(({ rules: _, ...chain }) => ({ kind: 'add chain' as const, chain })),
      ...[...rewritten].map(({ name, rules }) => ({ kind: 'set rules' as const, chain: name, rules })),
    ],
    after: foreign.map(({ name }) => ({ kind: 'delete chain' as const, chain: name })),
    right: new Set(wanted.keys()),
    drift: [
      ...missing.map(({ name }) => ({ kind: 'missing' as const, what: `chain ${name}` })),
      ...rehooked.map(({ name }) => ({ kind: 'changed' as const, what: `hook of chain ${name}` })),
      ...wrong
        .filter(({ name }) => live.has(name))
        .map(({ name }) => ({ kind: 'changed' as const, what: `rules of chain ${name}` })),
      ...foreign.map(({ name }) => ({ kind: 'foreign' as const, what: `chain ${name}` })),
    ],
  }
}

const hasOtherHook = (live: LiveChain | undefined, { hook }: ChainLayout): boolean =>
  live !== undefined && JSON.stringify(hookOf(live)) !== JSON.stringify(hook === undefined ? undefined : hookOf({ hook }))

/** In one order of fields. */
const hookOf = ({ hook }: Pick<LiveChain, 'hook'>) => hook && [hook.type, hook.hook, hook.priority, hook.policy]

const hasRules = (live: LiveChain | undefined, { rules }: ChainLayout): boolean =>
  live !== undefined && live.rules.length === rules.length && rules.every((rule, index) => live.rules[index] === ruleMark(rule))

/** A set of another shape cannot be changed, only replaced with its table. */
const hasOurSets = ({ sets }: TableContents, family: IPFamily): boolean => {
  const found = new Map(sets.map((set) => [set.name, shapeOf(set)]))
  return setsOf(family).every((set) => found.get(set.name) === shapeOf(set))
}

/** The JSON of nft 1.0.6 leaves the flag `dynamic` out. */
const shapeOf = ({ type, data = [], flags = [], size }: NamedSet): string =>
  JSON.stringify([type, data, flags.filter((flag) => flag !== 'dynamic').sort(), size])
