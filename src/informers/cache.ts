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
  const put = (key: string, object: T): void => {
    objects.set(key, object)
    namespaces.set(key, [object.metadata.namespace ?? ''], object)
    for (const [name, index] of byName) index.set(key, valuesOf(name, object), object)
  }
  const drop = (key: string): void => {
    objects.delete(key)
    namespaces.remove(key)
    for (const index of byName.values()) index.remove(key)
  }
  const set = (object: T): readonly Change<T>[] => {
    const key = cacheKey(object.metadata.namespace, object.metadata.name)
    const previous = objects.get(key)
    if (previous && sameVersion(previous, object)) return []
    put(key, object)
    if (!previous) return [{ type: 'added', object }]
    if (previous.metadata.uid === object.metadata.uid) return [{ type: 'updated', object, previous }]
    return [
      { type: 'deleted', object: previous },
      { type: 'added', object },
    ]
  }
  const remove = (object: T): readonly Change<T>[] => {
    const key = cacheKey(object.metadata.namespace, object.metadata.name)
    if (!objects.has(key)) return []
    drop(key)
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

interface Index<T> {
  get(value: string): readonly T[]
  set(key: string, values: readonly string[], object: T): void
  remove(key: string): void
}

const createIndex = <T>(): Index<T> => {
  const buckets = new Map<string, Map<string, T>>()
  const valuesByKey = new Map<string, readonly string[]>()
  const leave = (key: string, value: string): void => {
    const bucket = buckets.get(value)
    bucket?.delete(key)
    if (bucket?.size === 0) buckets.delete(value)
  }
  const remove = (key: string): void => {
    for (const value of valuesByKey.get(key) ?? []) leave(key, value)
    valuesByKey.delete(key)
  }
  return {
    get: (value) => [...(buckets.get(value)?.values() ?? [])],
    remove,
    set(key, values, object) {
      for (const old of valuesByKey.get(key) ?? []) if (!values.includes(old)) leave(key, old)
      for (const value of values) {
        const bucket = buckets.get(value)
        if (bucket) bucket.set(key, object)
        else buckets.set(value, new Map([[key, object]]))
      }
      valuesByKey.set(key, values)
    },
  }
}
