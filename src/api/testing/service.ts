import { type Service, type ServicePort, type ServiceSpec, serviceKind } from '../index.ts'
import { Builder, storedMetadata } from './builder.ts'

type PortOptions = Partial<Omit<ServicePort, 'port' | 'name'>>

export class ServiceBuilder extends Builder<Service> {
  /** Changes any part of the spec. */
  spec(change: Partial<ServiceSpec>): this {
    return this.with((object) => ({ ...object, spec: { ...object.spec, ...change } }))
  }

  port(port: number, name?: string, options: PortOptions = {}): this {
    const added = { protocol: 'TCP' as const, ...options, port, ...(name === undefined ? {} : { name }) }
    return this.spec({ ports: [...(this.object.spec.ports ?? []), added] })
  }

  selector(selector: Readonly<Record<string, string>>): this {
    return this.spec({ selector })
  }

  /** A Service whose EndpointSlices are written by hand. */
  selectorless(): this {
    return this.spec({ selector: undefined })
  }

  /** The addresses, primary first; families follow from them. */
  clusterIP(...clusterIPs: readonly [string, ...string[]]): this {
    return this.spec({
      clusterIP: clusterIPs[0],
      clusterIPs,
      ipFamilies: clusterIPs.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4')),
      ipFamilyPolicy: clusterIPs.length > 1 ? 'RequireDualStack' : 'SingleStack',
    })
  }

  headless(): this {
    return this.spec({ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' })
  }

  nodePort(): this {
    return this.spec({ type: 'NodePort' })
  }

  /** With the addresses that were published for it. */
  loadBalancer(...ips: readonly string[]): this {
    const ingress = ips.map((ip) => ({ ip, ipMode: 'VIP' as const }))
    return this.spec({ type: 'LoadBalancer' }).with((object) => ({ ...object, status: { loadBalancer: { ingress } } }))
  }

  externalName(externalName: string): this {
    return this.spec({ type: 'ExternalName', externalName, selector: undefined, clusterIP: undefined, clusterIPs: undefined })
  }

  externalIPs(...externalIPs: readonly string[]): this {
    return this.spec({ externalIPs })
  }

  clientIPAffinity(timeoutSeconds?: number): this {
    return this.spec({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds } } })
  }

  internalTrafficPolicy(internalTrafficPolicy: 'Cluster' | 'Local'): this {
    return this.spec({ internalTrafficPolicy })
  }

  externalTrafficPolicy(externalTrafficPolicy: 'Cluster' | 'Local'): this {
    return this.spec({ externalTrafficPolicy })
  }
}

/** A ClusterIP Service that selects `app: <name>`; give it ports, and an address if it needs one. */
export const service = (name: string): ServiceBuilder =>
  new ServiceBuilder(serviceKind, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: storedMetadata(serviceKind, name),
    spec: { selector: { app: name } },
  })
