import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { ingressKind } from '../../api/index.ts'
import { type Clock, createLifecycle, type Lifecycle, type Logger, sleep } from '../../base/index.ts'
import {
  createEventRecorder,
  createLeaderElection,
  type EventRecorder,
  type HttpClient,
  type LeaderElection,
} from '../../client/index.ts'
import {
  type AcmeServerSettings,
  classConfig,
  createAcme,
  createIngress,
  createIngressStatus,
  createStreamEngine,
  createStreams,
  type IngressController,
  type Published,
  publishEntries,
  publishService,
  readAcmeServer,
  type StreamEngine,
} from '../../ingress/index.ts'
import { createEngine, type Engine, engineMetricsText, type RunningEngine } from '../../l7/index.ts'
import { conditionsOf } from '../../model/index.ts'
import { connectStandalone, standaloneConnection } from '../api-server.ts'
import { acmePlace } from './acme.ts'
import { healthHandler, insightHandler, serveOn } from './endpoints.ts'
import { guardedAddresses } from './guarded.ts'
import { ingressInformers, type StandaloneInformers } from './informers.ts'
import type { AcmeSettings, IngressSettings, Listen } from './settings.ts'

export interface RunOptions {
  readonly settings: IngressSettings
  readonly clock: Clock
  readonly log: Logger
  /** Requests are served. */
  onReady(ports: Pick<RunningEngine, 'http' | 'https'>): void
}

/**
 * An Ingress controller and its engine for any cluster, until `signal` aborts: then readiness is taken back, requests in progress end, the status is cleared and the
 * lease given back, in this order. Rejects with `UserError` when the API server does not answer at the start or a port cannot be had; later the server may be away for
 * as long as it likes.
 */
export const runIngress = async (options: RunOptions, signal: AbortSignal): Promise<void> => {
  const { settings, log, clock } = options
  const acme = settings.acme && (await readAcmeServer(settings.acme))
  const connection = await standaloneConnection(settings.kubeconfig)
  const { watchNamespace: namespace } = settings
  const ask = (asked: HttpClient) => asked.list(ingressKind, { limit: 1, ...(namespace === undefined ? {} : { namespace }) })
  const client = await connectStandalone({ connection, role: 'fairway-ingress', log, ask })
  const lifecycle = createLifecycle(log)
  try {
    const guarded = await guardedAddresses(connection.server)
    const namespace = settings.election.namespace ?? connection.namespace
    const parts = createParts({ ...options, client, acme, guarded, namespace })
    await startParts(parts, lifecycle, signal)
    if (!signal.aborted) options.onReady(parts.ports())
    await untilStopped(lifecycle, signal)
    parts.state.phase = 'draining'
    log.info('stopping', { shutdownDelayMs: settings.shutdownDelayMs, drainTimeoutMs: settings.drainTimeoutMs })
    await sleep(clock, settings.shutdownDelayMs)
  } catch (error) {
    // Told to stop while it waited for the caches.
    if (!signal.aborted) throw error
  } finally {
    await lifecycle.stop()
    await client.close()
  }
}

interface State {
  phase: 'starting' | 'serving' | 'draining'
  onServing: () => void
}

interface PartsOptions extends RunOptions {
  readonly client: HttpClient
  readonly acme: AcmeServerSettings | undefined
  /** Addresses of this machine and of the API server. */
  readonly guarded: readonly string[]
  /** Where the Lease lies. */
  readonly namespace: string
}

interface Parts {
  readonly options: PartsOptions
  readonly state: State
  readonly informers: StandaloneInformers
  readonly election: LeaderElection
  readonly recorder: EventRecorder
  readonly engine: Engine
  readonly ingress: IngressController
  readonly streamEngine: StreamEngine
  ports(): Pick<RunningEngine, 'http' | 'https'>
  started(running: RunningEngine): void
}

const createParts = (options: PartsOptions): Parts => {
  const { settings, client, clock, log, namespace } = options
  const informers = ingressInformers({ client, namespace: settings.watchNamespace, clock, log })
  const recorder = createEventRecorder({ client, component: 'fairway-ingress', host: hostname(), clock, log })
  const state: State = { phase: 'starting', onServing: () => {} }
  const engine = createEngine({
    ...engineAddresses(settings),
    settings: engineSettings(settings, options.guarded),
    log,
    clock,
    ...(settings.workers === undefined ? {} : { workers: settings.workers }),
  })
  const { http, trustedProxies, drainTimeoutMs } = settings
  const address = http?.address ?? settings.https?.address ?? '0.0.0.0'
  let running: RunningEngine | undefined
  return {
    options,
    state,
    informers,
    recorder,
    engine,
    election: createLeaderElection({
      client,
      lease: { namespace, name: settings.election.name },
      identity: `${hostname()}_${randomUUID()}`,
      clock,
      log,
    }),
    ingress: createIngress({
      ...informers,
      // While the workers drain, their table stays.
      engine: { update: (delta) => (state.phase === 'draining' ? Promise.resolve() : engine.update(delta)) },
      classes: classesOf(settings),
      ...(settings.defaultCertificate === undefined ? {} : { defaultCertificate: settings.defaultCertificate }),
      ...(settings.configMap === undefined ? {} : { configMap: settings.configMap }),
      httpsPort: settings.httpsRedirectPort,
      recorder,
      clock,
      log,
    }),
    streamEngine: createStreamEngine({ address, trustedProxies, drainMs: drainTimeoutMs, clock, log }),
    ports: () => running ?? {},
    started(now) {
      running = now
    },
  }
}

const engineAddresses = ({ http, https, proxyProtocol }: IngressSettings) => ({
  ...(http === undefined ? {} : { http: { ...http, flag: '--http', proxyProtocol } }),
  ...(https === undefined ? {} : { https: { ...https, flag: '--https', proxyProtocol } }),
})

/** What routes name may be neither this process nor the API server: an Ingress must not lead to them. */
const engineSettings = (settings: IngressSettings, ours: readonly string[]) => {
  const { trustedProxies, drainTimeoutMs, allowedTargets, deniedTargets, telemetry } = settings
  return {
    trustedProxies,
    proxyProtocolPeers: trustedProxies,
    drainTimeoutMs,
    allowedTargets,
    deniedTargets: [...deniedTargets, ...ours],
    telemetry,
  }
}

const classesOf = ({ controllerName, classNames }: IngressSettings) =>
  classConfig({
    ...(controllerName === undefined ? {} : { controllerName }),
    ...(classNames === undefined ? {} : { onlyClasses: classNames, watchedClasses: classNames }),
  })

/** In the order of their needs; stopped in the opposite one: first the engine, which drains, last what tells how this process is. */
const startParts = async (parts: Parts, lifecycle: Lifecycle, signal: AbortSignal): Promise<void> => {
  const { options, informers, election, ingress, engine, streamEngine, state } = parts
  await startEndpoints(parts, lifecycle)
  for (const [name, informer] of Object.entries(informers)) {
    await lifecycle.start({ name: `informer of ${name}`, start: (ended) => informer.start(ended) })
  }
  await lifecycle.start(election)
  const published = startPublishing(parts)
  if (published !== undefined) await lifecycle.start(statusOf(parts, published))
  await untilAborted(signal, lifecycle.start(ingress))
  await lifecycle.start(streamEngine)
  if (options.settings.tcpServices !== undefined || options.settings.udpServices !== undefined) {
    await untilAborted(signal, lifecycle.start(streamsOf(parts)))
  }
  signal.throwIfAborted()
  // Last: whoever connects finds the routes.
  parts.started(await lifecycle.start(engine))
  // Its challenges are answered by the engine.
  if (options.acme !== undefined && options.settings.acme !== undefined)
    await lifecycle.start(acmeOf(parts, options.acme, options.settings.acme))
  state.phase = 'serving'
  state.onServing()
}

/** What is started waits for the API server, which may have gone; a stop does not wait for it. */
const untilAborted = async (signal: AbortSignal, started: Promise<unknown>): Promise<void> => {
  let stopWaiting = (): void => {}
  const stopped = new Promise<never>((_, reject) => {
    stopWaiting = () => reject(new Error('stopped'))
    signal.addEventListener('abort', stopWaiting, { once: true })
  })
  try {
    await Promise.race([started, stopped])
  } finally {
    signal.removeEventListener('abort', stopWaiting)
  }
}

const statusOf = ({ options, informers, election }: Parts, published: Published) => {
  const { settings, client, clock, log } = options
  return createIngressStatus({
    client,
    ingresses: informers.ingresses,
    ingressClasses: informers.ingressClasses,
    classes: classesOf(settings),
    published,
    leadership: election,
    clearOnStop: () => settings.clearStatusOnStop && !hasOtherReplica(settings, informers),
    clock,
    log,
  })
}

/** An address is published when something answers there. */
const startPublishing = ({ options, informers, state }: Parts): Published | undefined => {
  const { publish } = options.settings
  if (publish.kind === 'nothing') return undefined
  if (publish.kind === 'service') informers.published.follow([publish.key])
  const source = publish.kind === 'service' ? publishService(informers.published, publish.key) : publishEntries(publish.entries)
  return {
    entries: () => (state.phase === 'starting' ? undefined : source.entries()),
    onChange(handler) {
      state.onServing = handler
      return source.onChange(handler)
    },
  }
}

/** Whether the published Service leads to somebody else still; without $POD_IP nobody knows who this is. */
const hasOtherReplica = ({ publish, podAddress }: IngressSettings, { slices }: StandaloneInformers): boolean => {
  if (publish.kind !== 'service' || podAddress === undefined) return false
  return slices
    .byIndex('service', publish.key)
    .flatMap(({ endpoints = [] }) => endpoints)
    .some((endpoint) => conditionsOf(endpoint).ready && !endpoint.addresses.includes(podAddress))
}

const streamsOf = ({ options, informers, streamEngine, recorder }: Parts) => {
  const { settings, clock, log } = options
  const { tcpServices, udpServices, trustedProxies } = settings
  return createStreams({
    services: informers.services,
    slices: informers.slices,
    configMaps: informers.streamConfigMaps,
    ...(tcpServices === undefined ? {} : { tcp: tcpServices }),
    ...(udpServices === undefined ? {} : { udp: udpServices }),
    reserved: reservedPorts(settings),
    trustedProxies,
    engine: streamEngine,
    recorder,
    clock,
    log,
  })
}

const acmeOf = (
  { options, informers, ingress, engine, election, recorder }: Parts,
  server: AcmeServerSettings,
  acme: AcmeSettings,
) => {
  const { client, clock, log, namespace, settings } = options
  return createAcme({
    client,
    server,
    place: acmePlace(acme, { namespace, name: settings.election.name }),
    claims: ingress.claims,
    onClaims: ingress.onClaims,
    secrets: informers.secrets,
    engine,
    leadership: election,
    recorder,
    clock,
    log,
  })
}

const reservedPorts = ({ http, https, health, metrics }: IngressSettings): ReadonlyMap<number, string> => {
  const named = (listen: Listen | undefined, what: string): readonly (readonly [number, string])[] =>
    listen === undefined ? [] : [[listen.port, what]]
  return new Map([
    ...named(metrics, 'that of --metrics'),
    ...named(health, 'that of --health'),
    ...named(https, 'that of --https'),
    ...named(http, 'that of --http'),
  ])
}

const startEndpoints = async (parts: Parts, lifecycle: Lifecycle): Promise<void> => {
  const { health, metrics } = parts.options.settings
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const notReady = (): string | undefined => (parts.state.phase === 'serving' ? undefined : parts.state.phase)
  const insight = insightHandler({
    metrics: async () => [await registry.metrics(), ownMetrics(parts), engineMetricsText(await parts.engine.stats())].join('\n'),
    explain: (url, headers) => parts.ingress.explain(url, headers),
  })
  const wanted = [
    { flag: '--health', at: health, handler: healthHandler({ notReady }) },
    { flag: '--metrics', at: metrics, handler: insight },
  ]
  for (const { flag, at, handler } of wanted) {
    if (at !== undefined) await lifecycle.start({ name: flag, start: (ended) => serveOn(flag, at, handler, ended) })
  }
}

const ownMetrics = ({ election, state }: Parts): string =>
  [
    '# HELP fairway_ingress_leader Whether this replica writes the status of Ingresses.',
    '# TYPE fairway_ingress_leader gauge',
    `fairway_ingress_leader ${election.isLeader ? 1 : 0}`,
    '# HELP fairway_ingress_ready Whether traffic may come.',
    '# TYPE fairway_ingress_ready gauge',
    `fairway_ingress_ready ${state.phase === 'serving' ? 1 : 0}`,
  ].join('\n')

/** Rejects when a part ends by itself. */
const untilStopped = async (lifecycle: Lifecycle, signal: AbortSignal): Promise<void> => {
  const asked = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const failure = await Promise.race([asked, lifecycle.failed])
  if (failure !== undefined) throw failure
}
