import type { RecordType, ZoneRecord } from './records.ts'

/** An index of records by name that changes by owner: the cost of a change is the owner's own records. */
export interface Zone {
  /** Grows with every change; answers that were built before are stale. */
  readonly revision: number
  /** Makes `records` all that `owner` has; none removes it. */
  replace(owner: string, records: readonly ZoneRecord[]): void
  /** The records of a name and type, in no particular order. */
  find(name: string, type: RecordType): readonly ZoneRecord[]
  /** Whether the name, or anything below it, has a record (RFC 8020: then it is not NXDOMAIN). */
  exists(name: string): boolean
}

export const createZone = (): Zone => {
  const byOwner = new Map<string, readonly ZoneRecord[]>()
  const byName = new Map<string, Map<string, ZoneRecord>>()
  /** How many records are at or below each name. */
  const population = new Map<string, number>()
  let revision = 0

  const add = (owner: string, record: ZoneRecord): void => {
    const records = byName.get(record.name) ?? new Map<string, ZoneRecord>()
    records.set(recordId(owner, record), record)
    byName.set(record.name, records)
    for (const name of ancestry(record.name)) population.set(name, (population.get(name) ?? 0) + 1)
  }

  const remove = (owner: string, record: ZoneRecord): void => {
    const records = byName.get(record.name)
    if (!records?.delete(recordId(owner, record))) return
    if (records.size === 0) byName.delete(record.name)
    for (const name of ancestry(record.name)) {
      const left = (population.get(name) ?? 0) - 1
      if (left > 0) population.set(name, left)
      else population.delete(name)
    }
  }

  return {
    get revision() {
      return revision
    },
    replace(owner, records) {
      for (const record of byOwner.get(owner) ?? []) remove(owner, record)
      for (const record of records) add(owner, record)
      if (records.length > 0) byOwner.set(owner, records)
      else byOwner.delete(owner)
      revision++
    },
    find(name, type) {
      const found = [...(byName.get(name)?.values() ?? [])].filter((record) => record.type === type)
      // Two Services may own the same record: one pod address behind two headless Services has one PTR each, an equal A once.
      return [...new Map(found.map((record) => [JSON.stringify(record), record])).values()]
    },
    exists: (name) => population.has(name),
  }
}

const recordId = (owner: string, record: ZoneRecord): string => `${owner}\n${JSON.stringify(record)}`

/** The name and every name above it. */
const ancestry = (name: string): readonly string[] => {
  const names = [name]
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) names.push(name.slice(dot + 1))
  return names
}
