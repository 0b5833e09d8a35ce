import { randomUUID } from 'node:crypto'
import type { Kind, KubeObject } from '../../api/index.ts'

/** An object as the fake holds it: every kind has at most these parts. */
export interface FakeObject extends KubeObject {
  readonly spec?: unknown
  readonly status?: unknown
}

export interface HistoryEntry {
  readonly revision: number
  readonly kind: Kind
  readonly object: FakeObject | undefined
  readonly previous: FakeObject | undefined
}

/** Objects of all kinds with one revision and a history that can be compacted. */
export interface FakeStore {
  readonly revision: number
  get(kind: Kind, namespace: string | undefined, name: string): FakeObject | undefined
  list(kind: Kind, namespace: string | undefined): readonly FakeObject[]
  put(kind: Kind, object: FakeObject): FakeObject
  remove(kind: Kind, object: FakeObject): FakeObject
  /** Entries above `revision`; undefined when they are compacted. */
  since(revision: number): readonly HistoryEntry[] | undefined
  compact(): void
}

/** `changed` is called for each entry, once it is in the store. */
export const createFakeStore = (changed: (entry: HistoryEntry) => void): FakeStore => {
  const objects = new Map<string, FakeObject>()
  let history: HistoryEntry[] = []
  let revision = 1
  let compacted = 0
  const record = (entry: HistoryEntry): void => {
    history.push(entry)
    changed(entry)
  }
  return {
    get revision() {
      return revision
    },
    get: (kind, namespace, name) => objects.get(keyOf(kind, namespace, name)),
    list: (kind, namespace) => {
      const prefix = namespace === undefined ? prefixOf(kind) : keyOf(kind, namespace, '')
      return [...objects]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, object]) => object)
    },
    put(kind, object) {
      const key = keyOf(kind, object.metadata.namespace, object.metadata.name)
      const previous = objects.get(key)
      const metadata = {
        ...object.metadata,
        uid: object.metadata.uid ?? previous?.metadata.uid ?? randomUUID(),
        resourceVersion: String(++revision),
      }
      const stored = { ...object, metadata }
      objects.set(key, stored)
      record({ revision, kind, object: stored, previous })
      return stored
    },
    remove(kind, object) {
      objects.delete(keyOf(kind, object.metadata.namespace, object.metadata.name))
      const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(++revision) } }
      record({ revision, kind, object: undefined, previous: last })
      return last
    },
    since: (from) => (from < compacted ? undefined : history.filter((entry) => entry.revision > from)),
    compact() {
      compacted = revision
      history = []
    },
  }
}

const prefixOf = (kind: Kind): string => `${kind.group}/${kind.plural}/`

const keyOf = (kind: Kind, namespace: string | undefined, name: string): string =>
  `${prefixOf(kind)}${kind.namespaced ? (namespace ?? '') : ''}/${name}`
