import { type Endpoints, endpointsKind, isNotFound, type Service, sameValue } from '../../api/index.ts'
import type { Clock, Component, Logger } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { createHoldOff, DONE, type Outcome, type WorkQueue } from '../../informers/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { type TriggerTimes, triggered } from '../endpointslice/trigger-time.ts'
import { createLoop, keyOf, parseKey } from '../loop.ts'
import { selectedBy } from '../selection.ts'
import { createServiceFinder } from '../service-finder.ts'
import { annotationsOf, desiredEndpoints, OVER_CAPACITY_ANNOTATION } from './desired.ts'

export interface EndpointsControllerDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'pods' | 'services' | 'endpoints'>
  readonly clock: Clock
  readonly log: Logger
}

/** Locks of old leader elections are Endpoints too. */
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader'

/** Keeps the legacy Endpoints of every Service with a selector, for those who still read them. */
export const createEndpointsController = ({ client, informers, clock, log }: EndpointsControllerDeps): Component => {
  const triggers = new Map<string, TriggerTimes>()

  const write = async (service: Service, known: Endpoints | undefined, signal: AbortSignal): Promise<void> => {
    const pods = selectedBy(informers.pods, service.metadata.namespace ?? '', { matchLabels: service.spec.selector ?? {} })
    const { subsets, labels, truncated } = desiredEndpoints(service, pods)
    const { times, oldest } = triggered(triggers.get(keyOf(service)), service, pods)
    const isTruncated = known?.metadata.annotations?.[OVER_CAPACITY_ANNOTATION] === 'truncated'
    if (!known || !sameValue(known.subsets, subsets) || !sameValue(known.metadata.labels, labels) || isTruncated !== truncated) {
      const annotations = annotationsOf(known, { truncated, triggerTime: oldest })
      const { namespace, name } = service.metadata
      const metadata = {
        ...(known?.metadata ?? { name, ...(namespace === undefined ? {} : { namespace }) }),
        labels,
        annotations,
      }
      if (known) await client.update(endpointsKind, { ...known, metadata, subsets }, { signal })
      else if (service.metadata.deletionTimestamp === undefined)
        await client.create(endpointsKind, { metadata, subsets }, { signal })
    }
    triggers.set(keyOf(service), times)
  }
  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const { namespace, name } = parseKey(key)
    const service = informers.services.get(namespace, name)
    const known = informers.endpoints.get(namespace, name)
    if (!service) {
      triggers.delete(key)
      if (known && known.metadata.annotations?.[LEADER_ANNOTATION] === undefined) await remove(client, known, signal)
    } else if (service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0) {
      await write(service, known, signal)
    }
    return DONE
  }
  return createLoop({
    name: 'endpoints-controller',
    informers: [informers.pods, informers.services, informers.endpoints],
    watch: (queue) => watch(informers, queue, clock),
    reconcile,
    workers: 5,
    backoff: { initialMs: 1_000, maxMs: 1_000_000, jitter: 0.1 },
    clock,
    log,
  })
}

const remove = async (client: Client, { metadata }: Endpoints, signal: AbortSignal): Promise<void> => {
  const preconditions = metadata.uid === undefined ? {} : { preconditions: { uid: metadata.uid } }
  await client.delete(endpointsKind, metadata, { signal, ...preconditions }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}

/** One object holds all addresses, so each write costs as much as the Service has pods: bursts of pods are gathered. */
const HOLD_OFF = { holdOffMs: 50, ceilingMs: 500 }

const watch = (informers: EndpointsControllerDeps['informers'], queue: WorkQueue, clock: Clock): readonly (() => void)[] => {
  const finder = createServiceFinder(informers)
  const bursts = createHoldOff({ clock, ...HOLD_OFF, fire: queue.add })
  // What was left over while nobody watched. Later, Endpoints without a Service are somebody's who creates the Service next.
  for (const left of informers.endpoints.list()) queue.add(keyOf(left))
  return [
    informers.services.onChange(({ object }) => queue.add(keyOf(object))),
    informers.pods.onChange((change) => {
      for (const service of finder.ofPodChange(change)) bursts.touch(keyOf(service))
    }),
    informers.endpoints.onChange(({ type, object }) => {
      const { namespace, name } = object.metadata
      if (type !== 'added' && informers.services.get(namespace, name)) queue.add(keyOf(object))
    }),
    bursts.cancel,
  ]
}
