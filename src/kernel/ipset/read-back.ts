import type { ReadSet } from './objects.ts'

/** Reads the answer of `ipset save`. Fails on a line that no version of it prints, as guessing would remove what is right. */
export const parseSaved = (text: string, owns: (name: string) => boolean): readonly ReadSet[] => {
  const sets = new Map<string, ReadSet & { readonly entries: string[] }>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [verb = '', name = '', value = '', ...options] = line.split(' ')
    if ((verb !== 'create' && verb !== 'add') || value === '') throw unknown(line)
    if (!owns(name)) continue
    if (verb === 'create') sets.set(name, { name, type: value, ...headerOf(options), entries: [] })
    else memberInto(sets.get(name), value, line)
  }
  return [...sets.values()]
}

const headerOf = (options: readonly string[]): Pick<ReadSet, 'family' | 'maxElements'> => {
  const after = (word: string): string | undefined => (options.includes(word) ? options[options.indexOf(word) + 1] : undefined)
  const family = after('family')
  const maxElements = Number(after('maxelem'))
  return {
    family: family === 'inet' || family === 'inet6' ? family : undefined,
    maxElements: Number.isInteger(maxElements) ? maxElements : undefined,
  }
}

/** A member's own options (a timeout, a comment) are not ours and left out. */
const memberInto = (set: { readonly entries: string[] } | undefined, entry: string, line: string): void => {
  if (set === undefined) throw unknown(line)
  set.entries.push(entry)
}

const unknown = (line: string): Error => new Error(`ipset save: ${JSON.stringify(line.slice(0, 200))} is of an unknown form`)
