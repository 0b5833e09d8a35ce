import {
  type EndpointSlice,
  type Endpoints,
  endpointSliceKind,
  endpointsKind,
  isNotFound,
  type Kind,
  type KubeObject,
  sameValue,
} from '../../api/index.ts'
import type { Client, NewObject } from '../../client/index.ts'
import { HTTPS_PORT_NAME, KUBERNETES } from './service.ts'

export interface ApiEndpoint {
  readonly address: string
  readonly apiPort: number
}

/** Makes the endpoints of default/kubernetes say where this server is, and nothing else. */
export const ensureEndpoints = async (client: Client, endpoint: ApiEndpoint): Promise<void> => {
  await ensure(client, endpointsKind, endpointsOf(endpoint))
  const slice = endpointSliceOf(endpoint)
  // The family of a slice is for ever; an address of the other one needs another slice.
  const found = await client.get(endpointSliceKind, KUBERNETES).catch(absent)
  if (found !== undefined && found.addressType !== slice.addressType) await client.delete(endpointSliceKind, KUBERNETES)
  await ensure(client, endpointSliceKind, slice)
}

/** Creates `wanted`, or replaces what differs from it, keeping the labels and annotations of others. */
const ensure = async <T extends KubeObject>(client: Client, kind: Kind<T>, wanted: NewObject<T>): Promise<void> => {
  const found = await client.get(kind, KUBERNETES).catch(absent)
  if (found === undefined) {
    await client.create(kind, wanted)
    return
  }
  const { metadata, ...content } = wanted
  const labels = { ...found.metadata.labels, ...metadata.labels }
  const next: T = { ...found, ...content, metadata: { ...found.metadata, labels } }
  if (!sameValue(next, found)) await client.update(kind, next)
}

const absent = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error
}

/** Its slice is this server's as well, so that nobody mirrors it. */
const endpointsOf = ({ address, apiPort }: ApiEndpoint): NewObject<Endpoints> => ({
  metadata: { ...KUBERNETES, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
  subsets: [{ addresses: [{ ip: address }], ports: [{ name: HTTPS_PORT_NAME, port: apiPort, protocol: 'TCP' }] }],
})

const endpointSliceOf = ({ address, apiPort }: ApiEndpoint): NewObject<EndpointSlice> => ({
  metadata: { ...KUBERNETES, labels: { 'kubernetes.io/service-name': KUBERNETES.name } },
  addressType: address.includes(':') ? 'IPv6' : 'IPv4',
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
  ports: [{ name: HTTPS_PORT_NAME, port: apiPort, protocol: 'TCP' }],
})
