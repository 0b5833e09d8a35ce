import { setMaxListeners } from 'node:events'
import {
  deploymentKind,
  endpointSliceKind,
  endpointsKind,
  type Kind,
  type KubeObject,
  type Node,
  namespaceKind,
  nodeKind,
  type Pod,
  podKind,
  replicaSetKind,
  scheme,
  serviceKind,
} from '../../api/index.ts'
import { type Component, silentLogger } from '../../base/index.ts'
import { type PausedClock, pausedClock } from '../../base/testing/paused-clock.ts'
import { type FakeApi, fakeApi } from '../../client/testing/index.ts'
import { createInformer, type Indexes, type Informer } from '../../informers/index.ts'
import { type ControllerInformers, controllerIndexes } from '../caches.ts'
import type { ControllersDeps } from '../create-controllers.ts'

/** Controllers against the API fake, with real informers and a clock that stands still. */
export interface Rig {
  readonly api: FakeApi
  readonly clock: PausedClock
  readonly deps: ControllersDeps
  /** Lets everything that can happen now happen, then moves time. */
  advance(ms?: number): Promise<void>
  /** Writes since the last call, as `verb resource`. */
  writes(): readonly string[]
}

/** Runs `test` with the controllers that `create` makes; afterwards they must stop and leave no watch open. */
export const withControllers = async (
  create: (deps: ControllersDeps) => readonly Component[],
  test: (rig: Rig) => Promise<void>,
): Promise<void> => {
  const clock = pausedClock()
  const api = fakeApi({ clock })
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const informers = createInformers(api, clock)
  const deps: ControllersDeps = { client: api.client, informers, clock, log: silentLogger }
  const started = [...informers.all.map(({ informer }) => informer), ...create(deps)]
  const running = await Promise.all(started.map((component) => component.start(stop.signal)))
  let read = 0
  try {
    await clock.advance(0)
    await test({
      api,
      clock,
      deps,
      advance: (ms = 0) => clock.advance(ms),
      writes: () => {
        const news = api.requests.slice(read)
        read = api.requests.length
        return news
          .filter(({ verb, resource }) => !['get', 'list', 'watch'].includes(verb) && resource !== 'events')
          .map(({ verb, resource, subresource }) => [verb, resource, subresource].filter(Boolean).join(' '))
      },
    })
  } finally {
    stop.abort()
    await Promise.all(running.map(({ stopped }) => stopped))
  }
}

const createInformers = (api: FakeApi, clock: PausedClock): ControllerInformers => {
  const all: { kind: Kind; informer: Informer<KubeObject> }[] = []
  const informer = <T extends KubeObject>(kind: Kind<T>, indexes: Indexes<T> = {}): Informer<T> => {
    const made = createInformer({ client: api.client, kind, indexes, clock, log: silentLogger, random: () => 0.5 })
    all.push({ kind, informer: made })
    return made
  }
  const named = {
    pods: informer(podKind, controllerIndexes.pods),
    services: informer(serviceKind, controllerIndexes.services),
    nodes: informer(nodeKind),
    namespaces: informer(namespaceKind),
    endpoints: informer(endpointsKind),
    endpointSlices: informer(endpointSliceKind, controllerIndexes.endpointSlices),
    replicaSets: informer(replicaSetKind, controllerIndexes.replicaSets),
    deployments: informer(deploymentKind, controllerIndexes.deployments),
  }
  const rest = scheme.filter((kind) => kind.conversion === undefined && !all.some((known) => known.kind.plural === kind.plural))
  for (const kind of rest) informer(kind)
  return { ...named, all }
}

/** A node that is ready, in a zone when it is given one. */
export const readyNode = (name: string, zone?: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, ...(zone === undefined ? {} : { labels: { 'topology.kubernetes.io/zone': zone } }) },
  spec: {},
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
})

/** Plays the kubelet: pods that have a node run, are ready and get an address; pods that are deleted go. */
export const runPods = (api: FakeApi, clock: PausedClock, choose: (pod: Pod) => boolean = () => true): void => {
  const lastTransitionTime = new Date(clock.now()).toISOString()
  for (const pod of api.objects(podKind)) {
    if (!choose(pod)) continue
    if (pod.metadata.deletionTimestamp !== undefined) api.remove(podKind, pod.metadata)
    else if (pod.spec.nodeName && pod.status?.phase !== 'Running') {
      const podIP = nextAddress(api)
      const conditions = [{ type: 'Ready', status: 'True' as const, lastTransitionTime }]
      api.put(podKind, { ...pod, status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } })
    }
  }
}

const nextAddress = (api: FakeApi): string => {
  const taken = new Set(api.objects(podKind).map(({ status }) => status?.podIP))
  for (let n = 1; ; n++) if (!taken.has(`10.0.${n >> 8}.${n & 255}`)) return `10.0.${n >> 8}.${n & 255}`
}
