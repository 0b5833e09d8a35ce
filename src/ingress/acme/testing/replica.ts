import { setMaxListeners } from 'node:events'
import { configMapKind, endpointSliceKind, ingressClassKind, ingressKind, secretKind, serviceKind } from '../../../api/index.ts'
import type { Clock, Logger, Running } from '../../../base/index.ts'
import type { Client, EventText, Leadership } from '../../../client/index.ts'
import { createInformer, createReferencedInformer } from '../../../informers/index.ts'
import { createEngine } from '../../../l7/index.ts'
import { sliceIndexes } from '../../../model/index.ts'
import { createIngress } from '../../ingress.ts'
import { type AcmeTiming, createAcme, type ServerSettings } from '../index.ts'

export interface ReplicaOptions {
  readonly client: Client
  readonly server: ServerSettings
  readonly leadership: Leadership
  /** Its own address of this machine, and the port where the ACME server looks. */
  readonly address: string
  readonly httpPort: number
  readonly timing?: Partial<AcmeTiming>
  readonly clock: Clock
  readonly log: Logger
  onEvent?(event: ToldEvent): void
}

export type ToldEvent = EventText & { readonly about: string }

/** One Ingress controller with its engine, and the certificates. */
export interface Replica {
  readonly httpsPort: number
  stop(): Promise<void>
}

export const startReplica = async (options: ReplicaOptions): Promise<Replica> => {
  const { client, clock, log, leadership, server, address, httpPort, timing, onEvent } = options
  const abort = new AbortController()
  setMaxListeners(0, abort.signal)
  const deps = { client, clock, log }
  const informers = {
    ingresses: createInformer({ ...deps, kind: ingressKind }),
    ingressClasses: createInformer({ ...deps, kind: ingressClassKind }),
    services: createInformer({ ...deps, kind: serviceKind }),
    slices: createInformer({ ...deps, kind: endpointSliceKind, indexes: sliceIndexes }),
    secrets: createReferencedInformer({ ...deps, kind: secretKind }),
    configMaps: createReferencedInformer({ ...deps, kind: configMapKind }),
  }
  const recorder = {
    event: (object: { metadata: { name: string } }, what: EventText) => onEvent?.({ ...what, about: object.metadata.name }),
  }
  const engine = createEngine({ http: { address, port: httpPort }, https: { address, port: 0 }, workers: 1, log, clock })
  const ingress = createIngress({ ...informers, engine, recorder, clock, log })
  const acme = createAcme({
    client,
    server,
    place: { namespace: 'fairway-system', instance: 'fairway' },
    claims: ingress.claims,
    onClaims: ingress.onClaims,
    secrets: informers.secrets,
    engine,
    leadership,
    recorder,
    clock,
    log,
    ...(timing === undefined ? {} : { timing }),
  })
  const running: Running[] = []
  const engineRuns = await engine.start(abort.signal)
  running.push(engineRuns)
  for (const informer of Object.values(informers)) running.push(await informer.start(abort.signal))
  running.push(await ingress.start(abort.signal), await acme.start(abort.signal))
  return {
    httpsPort: engineRuns.https ?? 0,
    async stop() {
      abort.abort()
      await Promise.all(running.map(({ stopped }) => stopped))
    },
  }
}
