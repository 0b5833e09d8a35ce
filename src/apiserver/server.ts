import { setMaxListeners } from 'node:events'
import { Registry } from 'prom-client'
import type { IngressClass, Kind, KubeObject } from '../api/index.ts'
import { ingressClassKind } from '../api/index.ts'
import { aborted, type Clock, type Component, type Logger, type Running } from '../base/index.ts'
import type { ApiPort, PodLogs } from '../client/index.ts'
import type { Store } from '../store/index.ts'
import { authorize } from './authentication/index.ts'
import { createCaches } from './cache/index.ts'
import type { KeyPair } from './certificates/index.ts'
import { createDiscovery, type VirtualKind, versionInfo } from './discovery/index.ts'
import { reapEvents } from './event-reaper.ts'
import { createFilters, type InFlight, runFilters } from './filters.ts'
import { createDocumentRoute, type HealthCheck } from './http/document-routes.ts'
import { type Exchange, infoOf } from './http/exchange.ts'
import { type Listening, listenHttps } from './http/listen.ts'
import { createResourceRoute } from './http/resource-route.ts'
import { sendJson } from './http/respond.ts'
import { createServerMetrics } from './metrics.ts'
import { ensureNamespaces } from './namespaces.ts'
import { createOpenApi } from './openapi/index.ts'
import { builtInStrategies } from './registry/strategies.ts'
import type { Strategy } from './registry/strategy.ts'
import type { ResourceInfo } from './request-info.ts'
import { createResources, executeRequest, type RestContext, reviews } from './rest/index.ts'

export interface ApiServerOptions {
  readonly store: Store
  /** Every served kind, in the order of discovery. */
  readonly kinds: readonly Kind[]
  /** Of kinds that need more than the server itself; they take the place of built-in ones. */
  readonly strategies?: readonly Strategy<KubeObject>[]
  readonly clock: Clock
  readonly log: Logger
  readonly podLogs?: PodLogs
  /** Fairway's version. */
  readonly version: string
  /** Where metrics are kept; a registry of its own when left out. */
  readonly metrics?: Registry
  /** Run once at each start, in order, before the server is ready: they make what must always be there. */
  readonly startHooks?: readonly StartHook[]
}

/** Makes objects that must always be there; called again after every start, so it must not mind what is there already. */
export type StartHook = (port: ApiPort) => Promise<void>

export interface ListenRequest {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly authority: string
  readonly certificate: KeyPair
}

/** The Kubernetes API over a store: in process through `execute`, and over HTTPS. */
export interface ApiServer extends ApiPort, Component {
  /** Serves HTTPS until `signal` aborts; call after `start`. Rejects with a `UserError` when the port cannot be had. */
  listen(request: ListenRequest, signal: AbortSignal): Promise<Listening>
}

/** An API server that is not started yet; `start` loads the store and runs the start hooks. */
export const createApiServer = (options: ApiServerOptions): ApiServer => {
  const { store, clock, log } = options
  const stopping = new AbortController()
  // Every watch listens.
  setMaxListeners(0, stopping.signal)
  const hubs = options.kinds.filter((kind) => kind.conversion === undefined)
  const caches = createCaches({ store, kinds: hubs, clock, log })
  const ingressClasses = (): readonly IngressClass[] => {
    const cache = caches.of(ingressClassKind)
    // The cache of a kind holds objects of that kind.
    return cache.keys('').flatMap((key) => (cache.get(key) as IngressClass | undefined) ?? [])
  }
  const resources = createResources(options.kinds, [...(options.strategies ?? []), ...builtInStrategies({ ingressClasses })])
  const context: RestContext = {
    store,
    caches,
    resources,
    clock,
    log,
    podLogs: options.podLogs,
    stopping: stopping.signal,
    authorize,
  }
  const port: ApiPort = { execute: (request) => executeRequest(context, request) }
  let isReady = false
  const handle = createHandler(options, context, () => isReady)
  return {
    name: 'apiserver',
    execute: port.execute,
    async start(signal): Promise<Running> {
      const following = await caches.start(signal)
      for (const hook of [ensureNamespaces, ...(options.startHooks ?? [])]) await hook(port)
      isReady = true
      const reaping = reapEvents({ store, caches, clock, log }, signal)
      const stop = async (): Promise<void> => {
        await aborted(signal)
        isReady = false
        stopping.abort()
        await Promise.all([following.stopped, reaping])
      }
      return { stopped: stop() }
    },
    listen: (request, signal) => listenHttps({ ...request, clock, log, handle }, signal),
  }
}

const createHandler = (options: ApiServerOptions, context: RestContext, isReady: () => boolean) => {
  const { clock, log } = options
  const inFlight: InFlight = { requests: 0, longRunning: 0 }
  const metrics = createServerMetrics(options.metrics ?? new Registry(), {
    watchers: () => inFlight.longRunning,
    inFlight: () => inFlight.requests,
    storageObjects: () => objectCounts(context),
  })
  const version = versionInfo(options.version)
  const openApi = createOpenApi(options.kinds, version['gitVersion'] ?? '')
  const documentRoute = createDocumentRoute({
    discovery: createDiscovery(options.kinds, virtualKinds),
    openApi: openApi.document,
    version,
    checks: healthChecks(context, isReady),
    metrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
  })
  const resourceRoute = createResourceRoute(context)
  const route = async (exchange: Exchange): Promise<void> => {
    const info = infoOf(exchange)
    if (info.kind === 'path') await documentRoute(exchange, info)
    else if (isDefinitionList(info)) sendJson(exchange.response, 200, noDefinitions)
    else await resourceRoute(exchange, info)
  }
  const filters = createFilters({
    log,
    clock,
    metrics,
    inFlight,
    route,
    isServed: (info) => info.kind === 'resource' && context.resources.find(info.group, info.version, info.resource) !== undefined,
  })
  return (exchange: Exchange): Promise<void> => runFilters(filters, exchange)
}

/** kubectl lists the custom kinds when it meets a kind that is not served, and names that kind only when the list is answered. */
const isDefinitionList = ({ verb, group, resource }: ResourceInfo): boolean =>
  verb === 'list' && group === 'apiextensions.k8s.io' && resource === 'customresourcedefinitions'

const noDefinitions = {
  kind: 'CustomResourceDefinitionList',
  apiVersion: 'apiextensions.k8s.io/v1',
  metadata: { resourceVersion: '1' },
  items: [],
}

/** Answered, never stored. */
const virtualKinds: readonly VirtualKind[] = reviews.map(({ group, version, plural, kind }) => ({
  group,
  version,
  plural,
  kind,
  singular: kind.toLowerCase(),
  namespaced: false,
  verbs: ['create'],
}))

const objectCounts = ({ resources, caches }: RestContext): ReadonlyMap<string, number> =>
  new Map(resources.hubs.map((kind) => [kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`, caches.of(kind).size]))

const healthChecks = ({ stopping }: RestContext, isReady: () => boolean): readonly HealthCheck[] => [
  { name: 'ping', check: () => undefined },
  { name: 'poststarthook', check: () => (isReady() ? undefined : 'the server is still starting') },
  { name: 'shutdown', check: () => (stopping.aborted ? 'the server is stopping' : undefined) },
]
