import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { hostname } from 'node:os'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { parse } from 'yaml'
import { endpointSliceKind, nodeKind, serviceKind } from '../../api/index.ts'
import { type Clock, createLifecycle, errorMessage, type Lifecycle, type Logger, UserError } from '../../base/index.ts'
import { createEventRecorder, createLeaderElection, type HttpClient } from '../../client/index.ts'
import { createInformer, waitForSync } from '../../informers/index.ts'
import { createLoadBalancerController, createLoadBalancerMetrics } from '../../loadbalancer/index.ts'
import { sliceIndexes } from '../../model/index.ts'
import { connectStandalone, standaloneConnection } from '../api-server.ts'
import { healthHandler, serveOn } from '../ingress/endpoints.ts'
import type { PreparedProvider } from './providers.ts'
import type { LoadBalancerSettings } from './settings.ts'

export interface RunOptions {
  readonly settings: LoadBalancerSettings
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly log: Logger
  /** The caches are complete; whether this replica leads is another matter. */
  onReady(): void
}

/**
 * The service controller for any cluster, until `signal` aborts: then what is under way is broken off (it is taken up again by whoever leads next) and the lease
 * given back. Rejects with `UserError` for what is wrong with the configuration, and when the API server does not answer at the start; later the server may be away
 * for as long as it likes.
 */
export const runLoadBalancer = async (options: RunOptions, signal: AbortSignal): Promise<void> => {
  const { settings, log } = options
  const prepared = await prepare(options)
  const connection = await standaloneConnection(settings.kubeconfig)
  const ask = (asked: HttpClient) => asked.list(serviceKind, { limit: 1 })
  const client = await connectStandalone({ connection, role: 'fairway-loadbalancer', log, ask })
  const lifecycle = createLifecycle(log)
  try {
    const namespace = settings.election.namespace ?? connection.namespace
    await startParts({ ...options, prepared, client, namespace }, lifecycle, signal)
    if (!signal.aborted) options.onReady()
    await untilStopped(lifecycle, signal)
  } catch (error) {
    // Told to stop while it waited for the caches.
    if (!signal.aborted) throw error
  } finally {
    await lifecycle.stop()
    await client.close()
  }
}

const prepare = async ({ settings, env, log }: RunOptions): Promise<PreparedProvider> => {
  const { provider, configFile } = settings
  const prepared = provider.prepare(configFile === undefined ? undefined : await readConfigFile(configFile), env)
  for (const warning of prepared.warnings) log.warn(warning, { provider: provider.name })
  if (prepared.problems.length === 0) return prepared
  const where = configFile === undefined ? '--config: none was named' : `--config ${configFile}`
  throw new UserError(`${where}: ${prepared.problems.join('; ')}`, { exitCode: 2 })
}

const readConfigFile = async (path: string): Promise<unknown> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new UserError(`--config: ${path} can't be read: ${errorMessage(error)}`, { cause: error, exitCode: 2 })
  })
  try {
    return parse(text, { maxAliasCount: 100 })
  } catch (error) {
    // The parser quotes the file, which may hold credentials: only where is told.
    const at = error instanceof Error ? /at line \d+, column \d+/.exec(error.message)?.[0] : undefined
    throw new UserError(`--config: ${path} is not YAML${at === undefined ? '' : ` ${at}`}`, { exitCode: 2 })
  }
}

interface PartsOptions extends RunOptions {
  readonly prepared: PreparedProvider
  readonly client: HttpClient
  readonly namespace: string
}

/** In the order of their needs; stopped in the opposite one. */
const startParts = async (options: PartsOptions, lifecycle: Lifecycle, signal: AbortSignal): Promise<void> => {
  const { settings, prepared, client, namespace, clock, log } = options
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const state = { isReady: false }
  await startEndpoints(options, { registry, state }, lifecycle)
  const informers = {
    services: createInformer({ client, kind: serviceKind, clock, log }),
    slices: createInformer({ client, kind: endpointSliceKind, indexes: sliceIndexes, clock, log }),
    nodes: createInformer({ client, kind: nodeKind, clock, log }),
  }
  const election = createLeaderElection({
    client,
    lease: { namespace, name: settings.election.name },
    identity: `${hostname()}_${randomUUID()}`,
    clock,
    log,
  })
  const recorder = createEventRecorder({ client, component: 'service-controller', host: hostname(), clock, log })
  const common = { client, ...informers, clusterId: settings.clusterId, leadership: election, recorder, clock, log }
  const { provider, components } = prepared.create({ ...common, registry })
  const metrics = createLoadBalancerMetrics(registry)
  for (const [name, informer] of Object.entries(informers)) {
    await lifecycle.start({ name: `informer of ${name}`, start: (ended) => informer.start(ended) })
  }
  await waitForSync(Object.values(informers), signal)
  await lifecycle.start(election)
  for (const component of components) await lifecycle.start(component)
  const { workers, resyncMs: fullLookMs, prune } = settings
  await lifecycle.start(createLoadBalancerController({ ...common, provider, metrics, workers, fullLookMs, prune }))
  state.isReady = true
}

interface Telling {
  readonly registry: Registry
  readonly state: { isReady: boolean }
}

const startEndpoints = async ({ settings }: PartsOptions, { registry, state }: Telling, lifecycle: Lifecycle): Promise<void> => {
  const notReady = (): string | undefined => (state.isReady ? undefined : 'starting')
  const wanted = [
    { flag: '--health', at: settings.health, handler: healthHandler({ notReady }) },
    { flag: '--metrics', at: settings.metrics, handler: metricsHandler(registry) },
  ]
  for (const { flag, at, handler } of wanted) {
    if (at !== undefined) await lifecycle.start({ name: flag, start: (ended) => serveOn(flag, at, handler, ended) })
  }
}

const metricsHandler =
  (registry: Registry): RequestListener =>
  ({ url = '/' }, response) => {
    if (url.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('no such path\n')
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end('internal error\n'),
    )
  }

/** Rejects when a part ends by itself. */
const untilStopped = async (lifecycle: Lifecycle, signal: AbortSignal): Promise<void> => {
  const asked = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const failure = await Promise.race([asked, lifecycle.failed])
  if (failure) throw failure
}
