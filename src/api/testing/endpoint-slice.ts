import { type Endpoint, type EndpointSlice, endpointSliceKind, type SlicePort } from '../index.ts'
import { Builder, storedMetadata } from './builder.ts'

interface EndpointOptions {
  readonly node?: string
  readonly zone?: string
  /** Default true, as the ready ones of a Service. */
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
  /** The name of the pod behind it. */
  readonly pod?: string
  readonly hostname?: string
  readonly forZones?: readonly string[]
  readonly forNodes?: readonly string[]
}

export class EndpointSliceBuilder extends Builder<EndpointSlice> {
  port(port: number, name = '', options: Partial<Omit<SlicePort, 'port' | 'name'>> = {}): this {
    const added: SlicePort = { name, protocol: 'TCP', port, ...options }
    return this.with((object) => ({ ...object, ports: [...(object.ports ?? []), added] }))
  }

  endpoint(address: string, options: EndpointOptions = {}): this {
    return this.with((object) => ({
      ...object,
      addressType: address.includes(':') ? 'IPv6' : 'IPv4',
      endpoints: [...(object.endpoints ?? []), endpointOf(address, options, object.metadata.namespace)],
    }))
  }

  endpoints(...addresses: readonly string[]): this {
    return addresses.reduce<this>((builder, address) => builder.endpoint(address), this)
  }

  /** Another name, for the second slice of the same Service. */
  name(name: string): this {
    return this.metadata({ name, uid: `endpointslice-${name}` })
  }

  addressType(addressType: EndpointSlice['addressType']): this {
    return this.with((object) => ({ ...object, addressType }))
  }
}

const endpointOf = (address: string, options: EndpointOptions, namespace: string | undefined): Endpoint => {
  const { node, zone, ready = true, terminating = false, serving = ready, pod, hostname, forZones, forNodes } = options
  const hints = {
    ...(forZones === undefined ? {} : { forZones: forZones.map((name) => ({ name })) }),
    ...(forNodes === undefined ? {} : { forNodes: forNodes.map((name) => ({ name })) }),
  }
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(node === undefined ? {} : { nodeName: node }),
    ...(zone === undefined ? {} : { zone }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod === undefined ? {} : { targetRef: { kind: 'Pod', namespace, name: pod, uid: `pod-${pod}` } }),
    ...(Object.keys(hints).length === 0 ? {} : { hints }),
  }
}

/** A slice of a Service, as its controller would write it; give it ports and endpoints. */
export const endpointSlice = (serviceName: string): EndpointSliceBuilder =>
  new EndpointSliceBuilder(endpointSliceKind, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      ...storedMetadata(endpointSliceKind, `${serviceName}-1`),
      labels: {
        'kubernetes.io/service-name': serviceName,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
    },
    addressType: 'IPv4',
  })
