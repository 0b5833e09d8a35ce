import { CompactedError, type Entry, type RangeQuery, type RangeResult, type Revision } from '../store.ts'
import {
  decodeCurrent,
  decodeEvent,
  decodeVersion,
  encodeKey,
  encodeRevision,
  metaRevision,
  prefixEnd,
  type Snapshot,
  type Tables,
  withSnapshot,
} from './tables.ts'

/** The present entry of a key. */
export const readEntry = (tables: Tables, key: string): Entry | undefined => {
  const bytes = tables.current.get(encodeKey(key))
  return bytes === undefined ? undefined : decodeCurrent(key, bytes)
}

/** Reads a range at the latest or at an older revision. */
export const readRange = (tables: Tables, query: RangeQuery): RangeResult =>
  withSnapshot(tables, (snapshot) => {
    const latest = metaRevision(tables, 'revision', snapshot)
    const revision = query.atRevision ?? latest
    const compacted = metaRevision(tables, 'compacted', snapshot)
    if (revision < compacted) throw new CompactedError(compacted)
    if (revision > latest) throw new RangeError(`store: revision ${revision} is in the future; the latest is ${latest}`)
    const window = windowOf(query)
    const limit = query.limit || Number.POSITIVE_INFINITY
    const entries =
      revision === latest
        ? presentEntries(tables, window, { limit, snapshot })
        : pastEntries(tables, window, { limit, snapshot, revision })
    const last = entries.at(-1)
    if (last === undefined || entries.length < limit) return { entries, revision }
    const rest: Window = { ...window, start: after(last.key) }
    const remaining =
      countPresent(tables, rest, snapshot) +
      (revision === latest ? 0 : growthSince(tables, { rest, query, lastKey: last.key, revision, snapshot }))
    return remaining > 0 ? { entries, revision, remaining } : { entries, revision }
  })

/** From `start` on, before `end`. */
interface Window {
  readonly start: Buffer | undefined
  readonly end: Buffer | undefined
}

const windowOf = (query: RangeQuery): Window => {
  const prefix = Buffer.from(query.prefix, 'utf8')
  const start = prefix.length === 0 ? undefined : prefix
  const end = prefixEnd(prefix)
  if (query.startAfter === undefined) return { start, end }
  const next = after(query.startAfter)
  return { start: start === undefined || Buffer.compare(next, start) > 0 ? next : start, end }
}

const after = (key: string): Buffer => Buffer.concat([Buffer.from(key, 'utf8'), Buffer.of(0)])

const isEmpty = ({ start, end }: Window): boolean => start !== undefined && end !== undefined && Buffer.compare(start, end) >= 0

interface ReadOptions {
  readonly limit: number
  readonly snapshot: Snapshot
}

const presentEntries = (tables: Tables, window: Window, { limit, snapshot }: ReadOptions): Entry[] => {
  if (isEmpty(window)) return []
  const bounds = Number.isFinite(limit) ? { ...window, limit } : window
  const entries: Entry[] = []
  for (const { key, value } of tables.current.getRange({ ...bounds, transaction: snapshot })) {
    entries.push(decodeCurrent(key.toString('utf8'), value))
  }
  return entries
}

type At = { readonly snapshot: Snapshot; readonly revision: Revision }

/**
 * Present entries that are old enough and overwritten ones that were alive at `revision`, in key order. Goes chunk by chunk of present keys, so that
 * the cost follows the page and not the history.
 */
const pastEntries = (tables: Tables, window: Window, options: ReadOptions & At): Entry[] => {
  const { limit } = options
  const entries: Entry[] = []
  let rest = window
  while (entries.length < limit && !isEmpty(rest)) {
    const { alive, lastKey } = aliveInPresent(tables, rest, options)
    const next = lastKey === undefined ? undefined : after(lastKey)
    entries.push(...merged(alive, aliveInPast(tables, { start: rest.start, end: next ?? rest.end }, options)))
    if (next === undefined) break
    rest = { start: next, end: rest.end }
  }
  return Number.isFinite(limit) ? entries.slice(0, limit) : entries
}

const CHUNK = 512

/** The next present entries that were there at `revision`; `lastKey` is where the chunk ends, undefined at the end of the window. */
const aliveInPresent = (
  tables: Tables,
  window: Window,
  { snapshot, revision, limit }: ReadOptions & At,
): { readonly alive: readonly Entry[]; readonly lastKey: string | undefined } => {
  const alive: Entry[] = []
  const chunk = Math.min(limit, CHUNK)
  let count = 0
  let lastKey: string | undefined
  for (const { key, value } of tables.current.getRange({ ...window, limit: chunk, transaction: snapshot })) {
    count++
    lastKey = key.toString('utf8')
    const entry = decodeCurrent(lastKey, value)
    if (entry.modRevision <= revision) alive.push(entry)
  }
  return { alive, lastKey: count < chunk ? undefined : lastKey }
}

const aliveInPast = (tables: Tables, window: Window, { snapshot, revision }: At): readonly Entry[] => {
  const alive: Entry[] = []
  for (const { key, value } of tables.versions.getRange({ ...pastWindow(window), transaction: snapshot })) {
    const { entry, endRevision } = decodeVersion(key, value)
    if (entry.modRevision <= revision && revision < endRevision) alive.push(entry)
  }
  return alive
}

/** Two lists in key order as one; no key is in both. */
const merged = (a: readonly Entry[], b: readonly Entry[]): readonly Entry[] => {
  if (b.length === 0) return a
  return [...a, ...b].sort((x, y) => compareKeys(x.key, y.key))
}

const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'))

/** Version keys are `key 0 revision`: starting or ending after a key must pass its versions, too. */
const pastWindow = ({ start, end }: Window): Window => ({ start: afterVersions(start), end: afterVersions(end) })

const afterVersions = (bound: Buffer | undefined): Buffer | undefined =>
  bound !== undefined && bound.at(-1) === 0 ? Buffer.concat([bound.subarray(0, -1), Buffer.of(1)]) : bound

const countPresent = (tables: Tables, window: Window, snapshot: Snapshot): number =>
  isEmpty(window) ? 0 : tables.current.getKeysCount({ ...window, transaction: snapshot })

interface GrowthQuery {
  readonly rest: Window
  readonly query: RangeQuery
  readonly lastKey: string
  readonly revision: Revision
  readonly snapshot: Snapshot
}

/** What must be added to the present count of keys after `lastKey` to have the count at `revision`. */
const growthSince = (tables: Tables, { query, lastKey, revision, snapshot }: GrowthQuery): number => {
  let growth = 0
  for (const { value } of tables.events.getRange({ start: encodeRevision(revision + 1), transaction: snapshot })) {
    for (const change of decodeEvent(value).changes) {
      if (!change.key.startsWith(query.prefix) || compareKeys(change.key, lastKey) <= 0) continue
      if (change.type === 'delete') growth++
      else if (change.previous === 0) growth--
    }
  }
  return growth
}
