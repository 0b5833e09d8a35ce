import type { Drift } from '../../backend.ts'
import type { Books } from './books.ts'
import { FILLED_MAPS, type Tables } from './diff.ts'
import { type FilledMap, readFrontendValue, readMemberKey, readSlotKey } from './layout.ts'
import { keyText, valueText } from './text.ts'

/** Each element that is not as it should be, in the order of the maps. */
export const driftOf = (world: Tables, wanted: Tables, books: Books): readonly Drift[] =>
  FILLED_MAPS.flatMap((map) => {
    const drift = (kind: Drift['kind'], key: string, value: string): Drift => {
      const forwarding = books.portOf(idOf(map, key, value))?.rendered.forwarding
      const what = `element ${keyText(map, key)} : ${valueText(map, value)} of map fw_${map}`
      return { kind, what, ...(forwarding === undefined ? {} : { key: forwarding }) }
    }
    const lacking = [...wanted[map]].flatMap(([key, value]) => {
      const there = world[map].get(key)
      if (there === value) return []
      return [drift(there === undefined ? 'missing' : 'changed', key, value)]
    })
    const foreign = [...world[map]].filter(([key]) => !wanted[map].has(key)).map(([key, value]) => drift('foreign', key, value))
    return [...lacking, ...foreign]
  })

const idOf = (map: FilledMap, key: string, value: string): number => {
  switch (map) {
    case 'frontends':
      return readFrontendValue(value).id
    case 'slots':
      return readSlotKey(key).id
    case 'members':
      return readMemberKey(key).id
    default:
      return map satisfies never
  }
}
