import type { EndpointSlice, Service } from '../api/index.ts'
import type { Clock, Logger, Running } from '../base/index.ts'
import type { Informer } from '../informers/index.ts'
import { SERVICE_NAME_LABEL } from '../model/index.ts'
import { createChain } from './chain.ts'
import { createForwarder, type Upstream } from './forward.ts'
import { listenDns } from './server.ts'
import { serviceRecords } from './zone/records.ts'
import { createZone, type Zone } from './zone/zone.ts'

export interface DnsOptions {
  readonly services: Informer<Service>
  /** With the index `service` (`sliceIndexes` of src/model). */
  readonly endpointSlices: Informer<EndpointSlice>
  /** The cluster domain. */
  readonly domain: string
  readonly address: string
  readonly port: number
  readonly upstreams: readonly Upstream[]
  readonly clock: Clock
  readonly log: Logger
}

export interface RunningDns extends Running {
  readonly address: string
  readonly port: number
}

/** Kubernetes' DNS for Services (specification 1.1.0) that follows the API, with forwarding for all other names. */
export interface Dns {
  readonly name: string
  start(signal: AbortSignal): Promise<RunningDns>
}

/** Seconds; CoreDNS' default for cluster names. */
const TTL_SECONDS = 5

export const createDns = (options: DnsOptions): Dns => ({
  name: 'dns',
  async start(signal) {
    const zone = createZone()
    const stopFollowing = followServices(zone, options)
    const forwarder = createForwarder(options)
    const isReady = (): boolean => options.services.synced && options.endpointSlices.synced
    const resolve = createChain({ zone, domain: options.domain, ttl: TTL_SECONDS, isReady, forwarder })
    const server = await listenDns({ ...options, resolve }, signal).catch((error: unknown) => {
      stopFollowing()
      throw error
    })
    return { address: server.address, port: server.port, stopped: server.stopped.then(stopFollowing) }
  },
})

/** Keeps the zone in step: each change of a Service or of one of its slices renews that Service's records. */
const followServices = (zone: Zone, { services, endpointSlices, domain }: DnsOptions): (() => void) => {
  const renew = (namespace: string, name: string): void => {
    const service = services.get(namespace, name)
    const key = `${namespace}/${name}`
    zone.replace(key, service ? serviceRecords({ service, slices: endpointSlices.byIndex('service', key), domain }) : [])
  }
  const stopServices = services.onChange(({ object }) => renew(object.metadata.namespace ?? '', object.metadata.name))
  const stopSlices = endpointSlices.onChange((change) => {
    const slices = change.type === 'updated' ? [change.object, change.previous] : [change.object]
    for (const slice of slices) {
      const name = slice.metadata.labels?.[SERVICE_NAME_LABEL]
      if (name) renew(slice.metadata.namespace ?? '', name)
    }
  })
  return () => {
    stopServices()
    stopSlices()
  }
}
