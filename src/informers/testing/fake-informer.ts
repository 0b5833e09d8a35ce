import type { Kind, KubeObject } from '../../api/index.ts'
import { aborted, silentLogger } from '../../base/index.ts'
import { createCache } from '../cache.ts'
import { createFanOut } from '../fan-out.ts'
import type { Indexes, Informer } from '../informer.ts'
import { createSyncGate } from '../sync-gate.ts'

/** An informer without a server: the test says what is there. It caches, indexes and tells as the real one does. */
export interface FakeInformer<T extends KubeObject> extends Informer<T> {
  /** Adds or replaces; gives uid and resourceVersion where the test has none. */
  set(object: T): T
  delete(ref: { readonly namespace?: string; readonly name: string }): void
  /** For an informer that was created with `synced: false`. */
  sync(): void
}

export interface FakeInformerOptions<T extends KubeObject> {
  readonly indexes?: Indexes<T>
  /** True when left out. */
  readonly synced?: boolean
}

/** @example const pods = fakeInformer(podKind, [pod('a')]); pods.set(pod('b')); pods.delete({ namespace: 'default', name: 'a' }) */
export const fakeInformer = <T extends KubeObject>(
  kind: Kind<T>,
  objects: readonly T[] = [],
  { indexes = {}, synced = true }: FakeInformerOptions<T> = {},
): FakeInformer<T> => {
  const cache = createCache<T>(indexes, silentLogger)
  const fanOut = createFanOut(cache, silentLogger)
  const gate = createSyncGate(kind.plural)
  let revision = 0
  const complete = (object: T): T => {
    const { namespace, name, uid, resourceVersion } = object.metadata
    return {
      ...object,
      metadata: {
        ...object.metadata,
        uid: uid ?? cache.get(namespace, name)?.metadata.uid ?? `uid-${kind.plural}-${namespace ?? ''}-${name}-${revision}`,
        resourceVersion: resourceVersion ?? String(++revision),
      },
    }
  }
  const fake: FakeInformer<T> = {
    get: cache.get,
    list: cache.list,
    byIndex: cache.byIndex,
    get synced() {
      return gate.synced
    },
    waitForSync: gate.wait,
    onChange: fanOut.add,
    start: async (signal) => ({ stopped: aborted(signal) }),
    set(object) {
      const stored = complete(object)
      fanOut.publish(cache.set(stored))
      return stored
    },
    delete({ namespace, name }) {
      const object = cache.get(namespace, name)
      if (object) fanOut.publish(cache.remove(object))
    },
    sync: gate.open,
  }
  for (const object of objects) fake.set(object)
  if (synced) gate.open()
  return fake
}
