import type { Elements } from '../../../kernel/bpf/index.ts'
import type { FilledMap } from './layout.ts'

/** What the maps that Fairway fills hold, or should hold. */
export type Tables = Readonly<Record<FilledMap, Elements>>

export interface Difference {
  readonly set: Tables
  readonly remove: Readonly<Record<FilledMap, readonly string[]>>
}

export const FILLED_MAPS: readonly FilledMap[] = ['frontends', 'slots', 'members']

/** The elements that must change to come from one state to another. */
export const difference = (before: Tables, after: Tables): Difference => {
  const changed = (map: FilledMap): Elements => new Map([...after[map]].filter(([key, value]) => before[map].get(key) !== value))
  const gone = (map: FilledMap): readonly string[] => [...before[map].keys()].filter((key) => !after[map].has(key))
  const of = <T>(each: (map: FilledMap) => T): Readonly<Record<FilledMap, T>> => ({
    frontends: each('frontends'),
    slots: each('slots'),
    members: each('members'),
  })
  return { set: of(changed), remove: of(gone) }
}
