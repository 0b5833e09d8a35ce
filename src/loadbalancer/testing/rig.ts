import { setMaxListeners } from 'node:events'
import { Registry } from 'prom-client'
import { endpointSliceKind, eventKind, nodeKind, type Service, serviceKind } from '../../api/index.ts'
import { type Running, silentLogger } from '../../base/index.ts'
import { type PausedClock, pausedClock } from '../../base/testing/paused-clock.ts'
import { type Client, createEventRecorder, soleLeader } from '../../client/index.ts'
import { type FakeApi, fakeApi } from '../../client/testing/index.ts'
import { createInformer } from '../../informers/index.ts'
import { sliceIndexes } from '../../model/index.ts'
import { createLoadBalancerController, type LoadBalancerControllerOptions } from '../controller.ts'
import { createLoadBalancerMetrics } from '../metrics.ts'
import type { Provider } from '../provider.ts'

/** A controller against the API fake, with real informers and a clock that stands still; it can be killed and started anew. */
export interface ControllerRig {
  readonly api: FakeApi
  readonly clock: PausedClock
  put(service: Service): void
  get(name: string): Service
  /** A user's change, past the controller. */
  change(name: string, change: (service: Service) => Service): void
  /** As `kubectl delete`. */
  delete(name: string): Promise<void>
  /** Writes to Services since the last call, as `verb services/sub`. */
  writes(): readonly string[]
  /** `reason` of all Events, oldest first. */
  events(): readonly string[]
  /** Starts the controller; ends the one before without a goodbye: nothing that it does after counts. */
  start(provider: Provider, options?: Partial<LoadBalancerControllerOptions>): Promise<void>
  /** As SIGKILL: from now on no request of that process arrives. */
  kill(): void
  stop(): Promise<void>
}

interface Process {
  readonly stop: AbortController
  readonly stopped: Promise<unknown>
  isDead: boolean
}

export const controllerRig = (): ControllerRig => {
  const clock = pausedClock()
  const api = fakeApi({ clock })
  let current: Process | undefined
  let read = 0

  const get = (name: string): Service => {
    const service = api.objects(serviceKind).find(({ metadata }) => metadata.name === name)
    if (service === undefined) throw new Error(`no Service ${name}`)
    return service
  }
  const kill = (): void => {
    if (current === undefined) return
    current.isDead = true
    current.stop.abort()
    current = undefined
  }
  return {
    api,
    clock,
    put: (service) => void api.put(serviceKind, service),
    get,
    change: (name, change) => void api.put(serviceKind, change(get(name))),
    delete: async (name) => void (await api.client.delete(serviceKind, { namespace: 'default', name })),
    writes() {
      const news = api.requests.slice(read)
      read = api.requests.length
      return news
        .filter(({ verb, resource }) => resource === 'services' && ['create', 'update', 'patch'].includes(verb))
        .map(({ verb, subresource }) => [verb, 'services', subresource].filter(Boolean).join(' '))
    },
    events: () => api.objects(eventKind).map(({ reason = '' }) => reason),
    kill,
    async start(provider, options = {}) {
      kill()
      const stop = new AbortController()
      setMaxListeners(0, stop.signal)
      const process: Process = { stop, stopped: Promise.resolve(), isDead: false }
      current = process
      const { client: alive } = api
      const client = new Proxy(alive, {
        get(target, property, receiver) {
          // After its death a process says nothing any more.
          if (process.isDead) return () => Promise.reject(new Error('dead'))
          return Reflect.get(target, property, receiver)
        },
      })
      const parts = createParts({ client, clock }, provider, options)
      const running = await Promise.all(parts.map((each) => each.start(stop.signal)))
      Object.assign(process, { stopped: Promise.all(running.map(({ stopped }) => stopped)) })
      await clock.advance(0)
    },
    async stop() {
      const last = current
      last?.stop.abort()
      await last?.stopped
      current = undefined
    },
  }
}

/** The caches of a process, and its controller. */
const createParts = (
  { client, clock }: { readonly client: Client; readonly clock: PausedClock },
  provider: Provider,
  options: Partial<LoadBalancerControllerOptions>,
): readonly Startable[] => {
  const common = { client, clock, log: silentLogger, random: () => 0.5 }
  const services = createInformer({ ...common, kind: serviceKind })
  const slices = createInformer({ ...common, kind: endpointSliceKind, indexes: sliceIndexes })
  const nodes = createInformer({ ...common, kind: nodeKind })
  const controller = createLoadBalancerController({
    ...common,
    services,
    slices,
    nodes,
    provider,
    clusterId: 'cls-1',
    leadership: soleLeader,
    recorder: createEventRecorder({ client, component: 'service-controller', clock, log: silentLogger }),
    metrics: createLoadBalancerMetrics(new Registry()),
    ...options,
  })
  return [services, slices, nodes, controller]
}

interface Startable {
  start(signal: AbortSignal): Promise<Running>
}
