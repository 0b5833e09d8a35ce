import type { Endpoint, EndpointSlice, Service, ServicePort, ServiceSpec } from '../../api/index.ts'
import type { NodeView } from '../forwarding.ts'

/** A ClusterIP Service `default/<name>` with TCP port 80 named nothing, unless said otherwise. */
export const service = (
  name: string,
  spec: Partial<ServiceSpec> = {},
  rest: { readonly metadata?: Partial<Service['metadata']>; readonly status?: Service['status'] } = {},
): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', ...rest.metadata },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.10',
    clusterIPs: [spec.clusterIP ?? '10.96.0.10'],
    ports: [port(80)],
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ...spec,
  },
  ...(rest.status === undefined ? {} : { status: rest.status }),
})

export const port = (number: number, rest: Partial<ServicePort> = {}): ServicePort => ({ port: number, protocol: 'TCP', ...rest })

/** A LoadBalancer status with these addresses as VIPs. */
export const vips = (...ips: readonly string[]): NonNullable<Service['status']> => ({
  loadBalancer: { ingress: ips.map((ip) => ({ ip, ipMode: 'VIP' as const })) },
})

/** An EndpointSlice of `service` with TCP port 8080 named nothing, unless said otherwise. */
export const slice = (serviceName: string, endpoints: readonly Endpoint[], rest: Partial<EndpointSlice> = {}): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  addressType: 'IPv4',
  endpoints: [...endpoints],
  ports: [{ port: 8080, protocol: 'TCP', name: '' }],
  ...rest,
  metadata: {
    name: `${serviceName}-1`,
    namespace: 'default',
    labels: { 'kubernetes.io/service-name': serviceName },
    ...rest.metadata,
  },
})

/** A ready endpoint without a node, unless said otherwise. */
export const endpoint = (address: string, rest: Omit<Partial<Endpoint>, 'addresses'> = {}): Endpoint => ({
  addresses: [address],
  ...rest,
})

export const ready = { conditions: { ready: true, serving: true, terminating: false } }
export const unready = { conditions: { ready: false, serving: false, terminating: false } }
export const draining = { conditions: { ready: false, serving: true, terminating: true } }
export const dying = { conditions: { ready: false, serving: false, terminating: true } }

/** The node `n1` in zone `a` with pods in 10.1.1.0/24. */
export const node = (rest: Partial<NodeView> = {}): NodeView => ({
  name: 'n1',
  zone: 'a',
  addresses: ['192.0.2.1'],
  podCIDRs: ['10.1.1.0/24'],
  nodePortAddresses: ['192.0.2.1'],
  ...rest,
})
