import { type Namespace, sameValue } from '../../api/index.ts'
import type { Clock, Component, Logger } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { again, DONE, type Outcome, type WorkQueue } from '../../informers/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { createLoop } from '../loop.ts'
import { deleteContents, finalize, writeConditions } from './apply.ts'
import { desiredConditions, KUBERNETES_FINALIZER } from './desired.ts'

export interface NamespaceControllerDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'namespaces' | 'all'>
  readonly clock: Clock
  readonly log: Logger
}

/** Deletions of contents queue the namespace; this is for what no informer shows. */
const LOOK_AGAIN_MS = 5_000

/** Empties a Namespace that is being deleted, then lets it go. */
export const createNamespaceController = ({ client, informers, clock, log }: NamespaceControllerDeps): Component => {
  const kinds = informers.all
    .map(({ kind }) => kind)
    .filter(({ namespaced, conversion }) => namespaced && conversion === undefined)

  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const namespace = informers.namespaces.get(undefined, key)
    if (!isEmptying(namespace)) return DONE
    const left = await deleteContents(key, kinds, { client, signal })
    if (left.total === 0) {
      await finalize(namespace, { client, signal })
      return DONE
    }
    const conditions = desiredConditions(namespace, left, clock.now())
    if (!sameValue(namespace.status?.conditions, conditions)) await writeConditions(namespace, conditions, { client, signal })
    return again(LOOK_AGAIN_MS)
  }
  return createLoop({
    name: 'namespace-controller',
    informers: [informers.namespaces, ...informers.all.map(({ informer }) => informer)],
    watch: (queue) => watch(informers, queue),
    reconcile,
    workers: 2,
    clock,
    log,
  })
}

const isEmptying = (namespace: Namespace | undefined): namespace is Namespace =>
  namespace?.metadata.deletionTimestamp !== undefined && (namespace.spec.finalizers ?? []).includes(KUBERNETES_FINALIZER)

const watch = ({ namespaces, all }: NamespaceControllerDeps['informers'], queue: WorkQueue): readonly (() => void)[] => [
  namespaces.onChange(({ type, object }) => {
    if (type !== 'deleted' && isEmptying(object)) queue.add(object.metadata.name)
  }),
  ...all
    .filter(({ kind }) => kind.namespaced)
    .map(({ informer }) =>
      informer.onChange(({ type, object }) => {
        const { namespace } = object.metadata
        if (type === 'deleted' && namespace !== undefined && isEmptying(namespaces.get(undefined, namespace)))
          queue.add(namespace)
      }),
    ),
]
