import type { Command, IPSet, ReadSet } from '../../../kernel/ipset/index.ts'
import { SWAP_SET } from './sets.ts'

/** How the sets that are there become the ones that shall be. */
export interface SetChanges {
  /** Sets of another type under our names: no rule may use them any longer before they go. */
  readonly obstacles: readonly string[]
  readonly commands: readonly Command[]
  /** Sets that were missing or of another kind. */
  readonly wrong: readonly IPSet[]
}

/** A set with other limits is filled anew and swapped, so that rules never see it empty; one of another type is replaced. */
export const setChanges = (wanted: readonly IPSet[], found: readonly ReadSet[]): SetChanges => {
  const byName = new Map(found.map((set) => [set.name, set]))
  const obstacles: string[] = []
  // Of a process that was killed in the middle of a swap.
  const commands: Command[] = byName.has(SWAP_SET) ? [{ kind: 'destroy', set: SWAP_SET }] : []
  const wrong: IPSet[] = []
  for (const set of wanted) {
    const known = byName.get(set.name)
    if (known !== undefined && isSame(set, known)) continue
    wrong.push(set)
    if (known === undefined) commands.push({ kind: 'create', set })
    else if (known.type === set.type && known.family === set.family) commands.push(...refill(set, known))
    else {
      obstacles.push(set.name)
      commands.push({ kind: 'destroy', set: set.name }, { kind: 'create', set })
    }
  }
  return { obstacles, commands, wrong }
}

const isSame = (set: IPSet, found: ReadSet): boolean =>
  set.type === found.type && set.family === found.family && set.maxElements === found.maxElements

const refill = (set: IPSet, found: ReadSet): readonly Command[] => [
  { kind: 'create', set: { ...set, name: SWAP_SET } },
  ...found.entries.map((entry): Command => ({ kind: 'add', member: { set: SWAP_SET, entry } })),
  { kind: 'swap', set: SWAP_SET, with: set.name },
  { kind: 'destroy', set: SWAP_SET },
]
