/**
 * The elements of one set as they were read; whoever has it may take them out one by one, and finds what is wanted by nobody left over.
 * Iterates over keys and values (empty in sets) of what is left.
 */
export interface ElementSet extends Iterable<readonly [string, string]> {
  readonly size: number
  get(key: string): string | undefined
  /** Takes an element out, and says whether it has this value. */
  take(key: string, value?: string): 'same' | 'changed' | 'missing'
}

/** An {@link ElementSet} over text. */
export const textSet = (members: Map<string, string>): ElementSet => ({
  get size() {
    return members.size
  },
  get: (key) => members.get(key),
  take(key, value = '') {
    const found = members.get(key)
    if (found === undefined) return 'missing'
    members.delete(key)
    return found === value ? 'same' : 'changed'
  },
  [Symbol.iterator]: () => members.entries(),
})
