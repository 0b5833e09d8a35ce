import type { Element, TableContents } from '../../../kernel/nft/index.ts'
import type { Books } from './books.ts'

export interface ToldElements {
  readonly books: Books
  /** What belongs to no Service. */
  readonly fixed: readonly Element[]
}

/** Whether a table holds exactly what the books say; nothing is taken out of it. `breathe` gives others a turn, and may throw to end it. */
export const isAsTold = async (
  { books, fixed }: ToldElements,
  { elements: read }: TableContents,
  breathe: () => Promise<void> | undefined,
): Promise<boolean> => {
  const counts = new Map<string, number>()
  const holds = ({ set, key, value = '' }: Element): boolean => {
    counts.set(set, (counts.get(set) ?? 0) + 1)
    return read.get(set)?.get(key) === value
  }
  if (!fixed.every(holds)) return false
  const shared = new Map<string, Element>()
  for (const key of books.carried.keys()) {
    await breathe()
    const told = books.told(key)
    if (!told.elements.every(holds)) return false
    for (const element of told.shared) shared.set(element.key, element)
  }
  if (![...shared.values()].every(holds)) return false
  return [...read].every(([set, { size }]) => size === (counts.get(set) ?? 0))
}
