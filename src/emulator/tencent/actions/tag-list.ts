import { duplicate } from '../errors.ts'
import { list, record, type Shape, text } from '../shape.ts'

export const tagKey = text({ max: 127 })
export const tagValue = text({ min: 0, max: 255 })
const pair = record({ TagKey: tagKey, TagValue: tagValue })

interface Pair {
  readonly TagKey: string
  readonly TagValue: string
}

/** Tags of a request, each key once. */
export const tagList = (max: number): Shape<readonly Pair[]> => {
  const pairs = list(pair, 0, max)
  return {
    read: (value, at) => {
      const read = pairs.read(value, at)
      const keys = new Set(read.map(({ TagKey }) => TagKey))
      if (keys.size < read.length) throw duplicate(`A key appears twice in \`${at}\`.`)
      return read
    },
  }
}

export const toTags = (pairs: readonly Pair[]): Readonly<Record<string, string>> =>
  Object.fromEntries(pairs.map(({ TagKey, TagValue }) => [TagKey, TagValue]))

export const fromTags = (tags: Readonly<Record<string, string>> = {}): readonly Pair[] =>
  Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }))
