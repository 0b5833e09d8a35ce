import type { Kind, KubeObject } from '../api/index.ts'
import type { Clock, Logger } from '../base/index.ts'
import type { Client, Selection } from '../client/index.ts'
import { createCache } from './cache.ts'
import { createFanOut } from './fan-out.ts'
import type { Indexes, Informer } from './informer.ts'
import { runReflector } from './reflector.ts'
import { createSyncGate } from './sync-gate.ts'

export interface InformerOptions<T extends KubeObject> extends Selection {
  readonly client: Client
  readonly kind: Kind<T>
  readonly indexes?: Indexes<T>
  /** What of an object the cache holds, with its name, namespace, uid and resourceVersion at least; all but `managedFields` when left out. */
  readonly keep?: (object: T) => T
  readonly clock: Clock
  readonly log: Logger
  /** For the jitter; `Math.random` when left out. */
  readonly random?: () => number
}

/** An informer that does nothing until `start`, which returns at once: the server may come later. It can be started once. */
export const createInformer = <T extends KubeObject>(options: InformerOptions<T>): Informer<T> => {
  const { client, kind, namespace, labelSelector, fieldSelector, indexes = {}, keep, clock, random } = options
  const log = options.log.child({ informer: kind.plural })
  const cache = createCache<T>(indexes, log)
  const fanOut = createFanOut(cache, log)
  const gate = createSyncGate(kind.plural)
  let started = false
  return {
    get: cache.get,
    list: cache.list,
    byIndex: cache.byIndex,
    get synced() {
      return gate.synced
    },
    waitForSync: gate.wait,
    onChange: fanOut.add,
    async start(signal) {
      if (started) throw new Error(`the informer of ${kind.plural} was started already`)
      started = true
      const stopped = runReflector<T>({
        client,
        kind,
        selection: {
          ...(namespace === undefined ? {} : { namespace }),
          ...(labelSelector === undefined ? {} : { labelSelector }),
          ...(fieldSelector === undefined ? {} : { fieldSelector }),
        },
        target: {
          replace(objects) {
            fanOut.publish(cache.replace(objects))
            gate.open()
          },
          apply(event) {
            fanOut.publish(event.type === 'DELETED' ? cache.remove(event.object) : cache.set(event.object))
          },
        },
        clock,
        log,
        signal,
        ...(keep === undefined ? {} : { keep }),
        ...(random === undefined ? {} : { random }),
      })
      return { stopped }
    },
  }
}
