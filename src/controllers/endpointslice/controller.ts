import { type EndpointSlice, type Service, serviceKind } from '../../api/index.ts'
import type { Clock, Component, Logger } from '../../base/index.ts'
import { type Client, createEventRecorder } from '../../client/index.ts'
import { again, createHoldOff, DONE, type Outcome, type WorkQueue } from '../../informers/index.ts'
import { serviceOfSlice } from '../../model/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { createLoop, keyOf } from '../loop.ts'
import { createServiceFinder } from '../service-finder.ts'
import { createWriteMemory } from '../write-memory.ts'
import { applySlices } from './apply.ts'
import { desiredEndpoints } from './desired.ts'
import { diffSlices } from './diff.ts'
import { sliceLabels } from './labels.ts'
import { readSnapshot } from './snapshot.ts'
import { createTopologyTeller } from './topology-events.ts'
import { type TriggerTimes, triggered } from './trigger-time.ts'
import { type ZoneShares, zoneShares } from './zones.ts'

export interface EndpointSliceControllerDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'pods' | 'services' | 'nodes' | 'endpointSlices'>
  readonly clock: Clock
  readonly log: Logger
  /** 100 when left out; at most 1000. */
  readonly maxEndpointsPerSlice?: number
  /** Gathers pod changes for so long before a write; 0 when left out. */
  readonly batchPeriodMs?: number
}

/** How long to wait for a cache that is behind; the change that it waits for queues the Service as well. */
const CATCH_UP_MS = 1_000
const WORKERS = 5

/** Keeps the EndpointSlices of every Service with a selector equal to its pods. */
export const createEndpointSliceController = (deps: EndpointSliceControllerDeps): Component => {
  const { client, informers, clock, log, maxEndpointsPerSlice = 100, batchPeriodMs = 0 } = deps
  const memory = createWriteMemory<EndpointSlice>(informers.endpointSlices, clock)
  const triggers = new Map<string, TriggerTimes>()
  const events = createEventRecorder({ client, component: 'endpoint-slice-controller', clock, log })
  const topology = createTopologyTeller(events)
  const shares = createShares(informers.nodes)

  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const snapshot = readSnapshot(key, { ...informers, zones: shares.now })
    if (!snapshot) {
      triggers.delete(key)
      topology.forget(key)
      return DONE
    }
    if (!memory.isCaughtUp(key)) return again(CATCH_UP_MS)
    const { service, pods } = snapshot
    const { times, oldest } = triggered(triggers.get(key), service, pods)
    const desired = desiredEndpoints(snapshot)
    const owner = { kind: serviceKind, object: service, labels: sliceLabels(service) }
    const operations = diffSlices({ owner, slices: snapshot.slices }, desired, { maxEndpointsPerSlice, placeholder: true })
    if (desired.skipped.length > 0) log.info('pods wait for their Node', { service: key, pods: desired.skipped.length })
    await applySlices(operations, { client, memory, owner: key, triggerTime: oldest, signal })
    topology.tell(key, service, desired.topology)
    triggers.set(key, times)
    return DONE
  }
  return createLoop({
    name: 'endpointslice-controller',
    informers: [informers.pods, informers.services, informers.nodes, informers.endpointSlices],
    watch: (queue) => watch(informers, { queue, clock, batchPeriodMs, saw: memory.saw, shares }),
    reconcile,
    workers: WORKERS,
    backoff: { initialMs: 1_000, maxMs: 1_000_000, jitter: 0.1 },
    clock,
    log,
  })
}

interface Shares {
  readonly now: () => ZoneShares
  /** A Node changed: whether the shares are others now. */
  changed(): boolean
}

/** Computed again only when a Node changed: a Service of topology mode Auto must not list the Nodes. */
const createShares = (nodes: EndpointSliceControllerDeps['informers']['nodes']): Shares => {
  let known: ZoneShares | undefined
  const text = (shares: ZoneShares): string => (shares.kind === 'shares' ? JSON.stringify([...shares.byZone]) : shares.why)
  const now = (): ZoneShares => {
    known ??= zoneShares(nodes.list())
    return known
  }
  return {
    now,
    changed() {
      const before = known === undefined ? undefined : text(known)
      known = undefined
      return before !== undefined && text(now()) !== before
    },
  }
}

interface Watching {
  readonly shares: Shares
  readonly queue: WorkQueue
  readonly clock: Clock
  readonly batchPeriodMs: number
  saw: ReturnType<typeof createWriteMemory<EndpointSlice>>['saw']
}

const watch = (
  informers: EndpointSliceControllerDeps['informers'],
  { queue, clock, batchPeriodMs, saw, shares }: Watching,
): readonly (() => void)[] => {
  const finder = createServiceFinder(informers)
  const batch = createHoldOff({ clock, holdOffMs: batchPeriodMs, ceilingMs: batchPeriodMs, fire: queue.add })
  const podChanged = (service: Service): void => (batchPeriodMs > 0 ? batch.touch(keyOf(service)) : queue.add(keyOf(service)))
  return [
    informers.services.onChange(({ object }) => queue.add(keyOf(object))),
    informers.pods.onChange((change) => {
      for (const service of finder.ofPodChange(change)) podChanged(service)
    }),
    informers.nodes.onChange((change) => {
      if (shares.changed()) for (const service of informers.services.byIndex('topologyMode', 'auto')) queue.add(keyOf(service))
      for (const pod of finder.podsOfNodeChange(change)) for (const service of finder.ofPod(pod)) podChanged(service)
    }),
    informers.endpointSlices.onChange((change) => {
      saw(change)
      const service = serviceOfSlice(change.object)
      if (service !== undefined) queue.add(service)
      if (change.type === 'updated') {
        const before = serviceOfSlice(change.previous)
        if (before !== undefined && before !== service) queue.add(before)
      }
    }),
    batch.cancel,
  ]
}
