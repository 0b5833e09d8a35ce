import type { KubeObject } from '../api/index.ts'
import type { Clock } from '../base/index.ts'
import type { Change, Lister } from '../informers/index.ts'

/**
 * What a controller wrote and its cache may not show yet. Working from a cache that is behind would do the same twice:
 * create a second set of pods, or undo an update.
 */
export interface WriteMemory<T extends KubeObject> {
  /** `object` as the server answered the create or update. */
  wrote(owner: string, object: T): void
  deleted(owner: string, object: T): void
  /** Whether the cache shows everything that was done for `owner`. */
  isCaughtUp(owner: string): boolean
  /** Must get every change of the informer. */
  saw(change: Change<T>): void
}

interface Expectation {
  readonly namespace: string | undefined
  readonly name: string
  readonly uid: string | undefined
  /** Undefined when it must be gone. */
  readonly resourceVersion: string | undefined
  readonly at: number
}

/** A write that nobody ever sees, because the object came and went while the watch was broken, is forgotten. */
const FORGET_AFTER_MS = 300_000
const GONE_REMEMBERED = 10_000

export const createWriteMemory = <T extends KubeObject>(lister: Pick<Lister<T>, 'get'>, clock: Clock): WriteMemory<T> => {
  const expected = new Map<string, Map<string, Expectation>>()
  // The deletion of an object may be seen before the answer to its create or delete.
  const gone = new Set<string>()

  const remember = (owner: string, { metadata }: T, resourceVersion: string | undefined): void => {
    const { namespace, name, uid } = metadata
    if (uid !== undefined && gone.has(uid)) return
    const of = expected.get(owner) ?? new Map<string, Expectation>()
    of.set(`${namespace ?? ''}/${name}`, { namespace, name, uid, resourceVersion, at: clock.monotonic() })
    expected.set(owner, of)
  }
  const isSeen = ({ namespace, name, uid, resourceVersion, at }: Expectation): boolean => {
    if (clock.monotonic() - at > FORGET_AFTER_MS || (uid !== undefined && gone.has(uid))) return true
    const cached = lister.get(namespace, name)
    if (resourceVersion === undefined) {
      return cached?.metadata.uid !== uid || cached?.metadata.deletionTimestamp !== undefined
    }
    return cached !== undefined && isAtLeast(cached.metadata.resourceVersion, resourceVersion)
  }
  return {
    wrote: (owner, object) => remember(owner, object, object.metadata.resourceVersion ?? ''),
    deleted: (owner, object) => remember(owner, object, undefined),
    isCaughtUp(owner) {
      const of = expected.get(owner)
      if (!of) return true
      for (const [key, expectation] of of) if (isSeen(expectation)) of.delete(key)
      if (of.size === 0) expected.delete(owner)
      return of.size === 0
    },
    saw(change) {
      if (change.type !== 'deleted' || change.object.metadata.uid === undefined) return
      gone.add(change.object.metadata.uid)
      const [oldest] = gone
      if (gone.size > GONE_REMEMBERED && oldest !== undefined) gone.delete(oldest)
    },
  }
}

/** Revisions of one kind can be compared as numbers (KEP-5504); where they are none, any other one counts as newer. */
const isAtLeast = (cached: string | undefined, written: string): boolean => {
  if (cached === written || cached === undefined) return cached !== undefined
  return DECIMAL.test(cached) && DECIMAL.test(written) ? BigInt(cached) >= BigInt(written) : true
}

const DECIMAL = /^\d{1,40}$/
