import type { KubeObject } from '../api/index.ts'
import { errorMessage, type Logger } from '../base/index.ts'
import type { Change, Indexes, Lister } from './informer.ts'

/** The objects of one kind by namespace, name and index. Every mutation tells what changed. */
export interface Cache<T extends KubeObject> extends Lister<T> {
  /** Adds or replaces; nothing changed when the cached object has the same uid and resourceVersion. */
  set(object: T): readonly Change<T>[]
  /** Removes; `object` is told as the last state. */
  remove(object: T): readonly Change<T>[]
  /** Becomes exactly `objects`, one change at each step: a change is in the cache when it is yielded. */
  replace(objects: readonly T[]): Iterable<Change<T>>
}

/** An empty cache. */
export const createCache = <T extends KubeObject>(indexes: Indexes<T>, log: Logger): Cache<T> => {
  const objects = new Map<string, T>()
  const namespaces = createIndex<T>()
  const byName = new Map(Object.keys(indexes).map((name) => [name, createIndex<T>()]))

  const valuesOf = (name: string, object: T): readonly string[] => {
    try {
      return indexes[name]?.(object) ?? []
    } catch (error) {
      log.error('an index function threw; the object is not in this index', { index: name, error: errorMessage(error) })
      return []
    }
  }
  /** From the object that was in before, so that values need not be kept. */
  const put = (key: string, object: T, previous: T | undefined): void => {
    objects.set(key, object)
    namespaces.change(key, previous && namespaceOf(previous), namespaceOf(object), object)
    for (const [name, index] of byName) index.change(key, previous && valuesOf(name, previous), valuesOf(name, object), object)
  }
  const drop = (key: string, previous: T): void => {
    objects.delete(key)
    namespaces.change(key, namespaceOf(previous), [], previous)
    for (const [name, index] of byName) index.change(key, valuesOf(name, previous), [], previous)
  }
  const set = (object: T): readonly Change<T>[] => {
    const key = cacheKey(object.metadata.namespace, object.metadata.name)
    const previous = objects.get(key)
    if (previous && sameVersion(previous, object)) return []
    put(key, object, previous)
    if (!previous) return [{ type: 'added', object }]
    if (previous.metadata.uid === object.metadata.uid) return [{ type: 'updated', object, previous }]
    return [
      { type: 'deleted', object: previous },
      { type: 'added', object },
    ]
  }
  const remove = (object: T): readonly Change<T>[] => {
    const key = cacheKey(object.metadata.namespace, object.metadata.name)
    const previous = objects.get(key)
    if (!previous) return []
    drop(key, previous)
    return [{ type: 'deleted', object }]
  }
  const lister: Lister<T> = {
    get: (namespace, name) => objects.get(cacheKey(namespace, name)),
    list: (namespace) => (namespace === undefined ? [...objects.values()] : namespaces.get(namespace)),
    byIndex: (name, value) => {
      const index = byName.get(name)
      if (!index) throw new Error(`no index ${name} was declared; there are: ${[...byName.keys()].join(', ') || 'none'}`)
      return index.get(value)
    },
  }
  return {
    ...lister,
    set,
    remove,
    *replace(next) {
      const kept = new Set(next.map((object) => cacheKey(object.metadata.namespace, object.metadata.name)))
      for (const [key, object] of [...objects]) if (!kept.has(key)) yield* remove(object)
      for (const object of next) yield* set(object)
    },
  }
}

const cacheKey = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`

const sameVersion = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.uid === b.metadata.uid &&
  a.metadata.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata.resourceVersion

const namespaceOf = ({ metadata: { namespace = '' } }: KubeObject): readonly string[] => [namespace]

interface Index<T> {
  get(value: string): readonly T[]
  /** The object had the values `before` and has `after`. */
  change(key: string, before: readonly string[] | undefined, after: readonly string[], object: T): void
}

/** One object or several by key: most values of an index have one, and a map costs 200 bytes. */
type Bucket<T> = { readonly key: string; readonly object: T } | Map<string, T>

const createIndex = <T>(): Index<T> => {
  const buckets = new Map<string, Bucket<T>>()
  const leave = (key: string, value: string): void => {
    const bucket = buckets.get(value)
    if (bucket instanceof Map) bucket.delete(key)
    if (bucket instanceof Map ? bucket.size === 0 : bucket?.key === key) buckets.delete(value)
  }
  const join = (key: string, value: string, object: T): void => {
    const bucket = buckets.get(value)
    if (bucket instanceof Map) bucket.set(key, object)
    else if (bucket === undefined || bucket.key === key) buckets.set(value, { key, object })
    else buckets.set(value, new Map([[bucket.key, bucket.object]]).set(key, object))
  }
  return {
    get(value) {
      const bucket = buckets.get(value)
      if (bucket instanceof Map) return [...bucket.values()]
      return bucket === undefined ? [] : [bucket.object]
    },
    change(key, before = [], after, object) {
      for (const value of before) if (!after.includes(value)) leave(key, value)
      for (const value of after) join(key, value, object)
    },
  }
}
