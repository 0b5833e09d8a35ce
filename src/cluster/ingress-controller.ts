import { soleLeader } from '../client/index.ts'
import { followEverything } from '../informers/index.ts'
import {
  classConfig,
  createIngress,
  createIngressStatus,
  type IngressController,
  publishEntries,
  type StatusEntries,
} from '../ingress/index.ts'
import type { RunningEngine } from '../l7/index.ts'
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
  return ingress
}

/** The ports are worth telling where they are not those that everybody expects. */
const addressOf = (ip: string, { http = 80, https = 443 }: RunningEngine): StatusEntries => {
  const isUsual = http === 80 && https === 443
  const ports = [http, https].map((port) => ({ port, protocol: 'TCP' as const }))
  return [{ ip, ...(isUsual ? {} : { ports }) }]
}
