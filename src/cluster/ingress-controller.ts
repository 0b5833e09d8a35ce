import { soleLeader } from '../client/index.ts'
import { followEverything } from '../informers/index.ts'
import {
  classConfig,
  createAcme,
  createIngress,
  createIngressStatus,
  createStreamEngine,
  createStreams,
  type IngressController,
  publishEntries,
  readAcmeServer,
  type StatusEntries,
} from '../ingress/index.ts'
import type { Engine, RunningEngine } from '../l7/index.ts'
import { type DataPlaneDeps, recorderOf } from './deps.ts'
import type { ClusterInformers } from './informers.ts'
import { startIngressEngine } from './ingress-engine.ts'

/**
 * The same pieces as `fairway ingress`, for one process: the caches hold every Secret already, for the pods, and nobody else writes the status of these
 * Ingresses.
 */
export const startIngress = async (deps: DataPlaneDeps, informers: ClusterInformers): Promise<IngressController> => {
  const { control, lifecycle, clock, log, options } = deps
  const { engine, running } = await startIngressEngine(deps)
  const classes = classConfig()
  const { ingresses, ingressClasses } = informers
  const ingress = createIngress({
    ...informers,
    slices: informers.endpointSlices,
    secrets: followEverything(informers.secrets),
    configMaps: followEverything(informers.configMaps),
    engine,
    classes,
    ...(running.https === undefined ? {} : { httpsPort: running.https }),
    recorder: recorderOf(deps, 'fairway-ingress'),
    clock,
    log,
  })
  await lifecycle.start(ingress)
  await lifecycle.start(
    createIngressStatus({
      client: control.clientFor('ingress'),
      ingresses,
      ingressClasses,
      classes,
      published: publishEntries(addressOf(options.ingress.address, running)),
      leadership: soleLeader,
      clock,
      log,
    }),
  )
  await startStreams(deps, informers, running)
  await startAcme(deps, informers, { ingress, engine })
  return ingress
}

/** This process is alone, and so leads. */
const startAcme = async (
  deps: DataPlaneDeps,
  informers: ClusterInformers,
  { ingress, engine }: { readonly ingress: IngressController; readonly engine: Engine },
): Promise<void> => {
  const { control, lifecycle, clock, log, options } = deps
  if (options.acme === undefined) return
  const acme = createAcme({
    client: control.clientFor('ingress'),
    server: await readAcmeServer(options.acme),
    place: { namespace: 'kube-system', instance: 'fairway-ingress' },
    claims: ingress.claims,
    onClaims: ingress.onClaims,
    secrets: informers.secrets,
    engine,
    leadership: soleLeader,
    recorder: recorderOf(deps, 'fairway-ingress'),
    timing: { settleMs: 0 },
    clock,
    log,
  })
  await lifecycle.start(acme)
}

/** Where ingress-nginx's manuals put the ports of TCP and UDP services. */
const TCP_SERVICES = 'ingress-nginx/tcp-services'
const UDP_SERVICES = 'ingress-nginx/udp-services'
const STREAM_DRAIN_MS = 5_000

const startStreams = async (deps: DataPlaneDeps, informers: ClusterInformers, running: RunningEngine): Promise<void> => {
  const { lifecycle, clock, log, options } = deps
  const { address } = options.ingress
  const engine = createStreamEngine({ address, trustedProxies: [], drainMs: STREAM_DRAIN_MS, clock, log })
  await lifecycle.start(engine)
  const reserved = [running.http, running.https].flatMap((port) =>
    port === undefined ? [] : [[port, 'the Ingress’ own'] as const],
  )
  const streams = createStreams({
    services: informers.services,
    slices: informers.endpointSlices,
    configMaps: followEverything(informers.configMaps),
    tcp: TCP_SERVICES,
    udp: UDP_SERVICES,
    reserved: new Map(reserved),
    trustedProxies: [],
    engine,
    recorder: recorderOf(deps, 'fairway-ingress'),
    clock,
    log,
  })
  await lifecycle.start(streams)
}

/** The ports are worth telling where they are not those that everybody expects. */
const addressOf = (ip: string, { http = 80, https = 443 }: RunningEngine): StatusEntries => {
  const isUsual = http === 80 && https === 443
  const ports = [http, https].map((port) => ({ port, protocol: 'TCP' as const }))
  return [{ ip, ...(isUsual ? {} : { ports }) }]
}
