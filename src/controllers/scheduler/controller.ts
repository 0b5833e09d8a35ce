import type { Node, Pod } from '../../api/index.ts'
import { sameValue } from '../../api/index.ts'
import type { Clock, Component, Logger } from '../../base/index.ts'
import { type Client, createEventRecorder } from '../../client/index.ts'
import { type Change, DONE, type Outcome, type WorkQueue } from '../../informers/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { createLoop, keyOf, parseKey } from '../loop.ts'
import { bind, reportUnschedulable } from './apply.ts'
import { isWaiting, placePod } from './desired.ts'
import { readNodes } from './snapshot.ts'

export interface SchedulerDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'pods' | 'nodes'>
  readonly clock: Clock
  readonly log: Logger
}

/** Gives every pod a node; one pod at a time, so that each decision sees the one before. */
export const createScheduler = ({ client, informers, clock, log }: SchedulerDeps): Component => {
  const events = createEventRecorder({ client, component: 'default-scheduler', clock, log })
  const waiting = new Set<string>()
  const assumed = new Map<string, { readonly pod: Pod; readonly node: string }>()

  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const { namespace, name } = parseKey(key)
    const pod = informers.pods.get(namespace, name)
    if (!pod || !isWaiting(pod)) {
      waiting.delete(key)
      assumed.delete(key)
      return DONE
    }
    if (assumed.get(key)?.pod.metadata.uid === pod.metadata.uid) return DONE
    const placement = placePod(pod, readNodes(informers, [...assumed.values()]))
    const options = { client, events, nowMs: clock.now(), signal }
    if (placement.kind === 'none') {
      waiting.add(key)
      await reportUnschedulable(pod, placement.message, options)
      return DONE
    }
    waiting.delete(key)
    if (await bind(pod, placement.name, options)) assumed.set(key, { pod, node: placement.name })
    return DONE
  }
  return createLoop({
    name: 'scheduler',
    informers: [informers.pods, informers.nodes],
    watch: (queue) => watch(informers, { queue, waiting, assumed }),
    reconcile,
    clock,
    log,
  })
}

interface Watching {
  readonly queue: WorkQueue
  /** Pods that found no node; they are tried again when something about the nodes changes. */
  readonly waiting: ReadonlySet<string>
  readonly assumed: Map<string, unknown>
}

const watch = ({ pods, nodes }: SchedulerDeps['informers'], { queue, waiting, assumed }: Watching): readonly (() => void)[] => {
  const retryAll = (): void => {
    for (const key of waiting) queue.add(key)
  }
  return [
    pods.onChange(({ type, object }) => {
      const key = keyOf(object)
      if (type === 'deleted' || object.spec.nodeName) assumed.delete(key)
      if (type !== 'deleted' && isWaiting(object)) queue.add(key)
      // A pod that leaves may free what another one waits for.
      if (type === 'deleted') retryAll()
    }),
    nodes.onChange((change) => {
      if (change.type !== 'updated' || concernsScheduling(change)) retryAll()
    }),
  ]
}

const concernsScheduling = ({ object, previous }: Extract<Change<Node>, { type: 'updated' }>): boolean => {
  const seen = ({ metadata, spec, status }: Node): unknown => [
    metadata.labels,
    spec?.unschedulable,
    spec?.taints,
    status?.conditions?.find(({ type }) => type === 'Ready')?.status,
  ]
  return !sameValue(seen(object), seen(previous))
}
