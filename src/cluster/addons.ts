import {
  type EndpointSlice,
  endpointSliceKind,
  type IngressClass,
  ingressClassKind,
  isAlreadyExists,
  type Kind,
  type KubeObject,
  type Service,
  serviceKind,
} from '../api/index.ts'
import type { Client } from '../client/index.ts'
import { serviceAddress } from './service-address.ts'

export interface AddonOptions {
  readonly serviceCidr: string
  /** Where the DNS server listens. */
  readonly dns: { readonly address: string; readonly port: number }
  readonly ingressController: string
}

/** Where pods find DNS: the tenth address of the service range, as kubeadm has it. */
export const dnsServiceAddress = (serviceCidr: string): string => serviceAddress(serviceCidr, DNS_OFFSET)

const DNS_OFFSET = 10n

/** Makes sure of what a user of Kubernetes finds in every cluster: the classes for Ingresses, and DNS as a Service. */
export const ensureAddons = async (client: Client, options: AddonOptions): Promise<void> => {
  await Promise.all([
    ...ingressClasses(options.ingressController).map((ingressClass) => ensure(client, ingressClassKind, ingressClass)),
    ensure(client, serviceKind, dnsService(options)),
    replace(client, endpointSliceKind, dnsSlice(options)),
  ])
}

/** `fairway` is the default; `nginx` is there because most manifests name it. Both are served by the same engine. */
const ingressClasses = (controller: string): readonly IngressClass[] =>
  ['fairway', 'nginx'].map((name) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name, annotations: name === 'fairway' ? { 'ingressclass.kubernetes.io/is-default-class': 'true' } : undefined },
    spec: { controller },
  }))

const DNS_PORTS = [
  { name: 'dns', protocol: 'UDP' as const, port: 53 },
  { name: 'dns-tcp', protocol: 'TCP' as const, port: 53 },
]

/** Without a selector: its endpoint is this process, not a pod. */
const dnsService = ({ serviceCidr }: AddonOptions): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'kube-dns',
    namespace: 'kube-system',
    labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
  },
  spec: { clusterIP: dnsServiceAddress(serviceCidr), ports: DNS_PORTS },
})

const dnsSlice = ({ dns }: AddonOptions): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'kube-dns',
    namespace: 'kube-system',
    labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'cluster.fairway.dev' },
  },
  addressType: 'IPv4',
  endpoints: [{ addresses: [dns.address], conditions: { ready: true } }],
  ports: DNS_PORTS.map((port) => ({ ...port, port: dns.port })),
})

/** Creates it; an object that is there already belongs to the user and stays as it is. */
const ensure = async <T extends KubeObject>(client: Client, kind: Kind<T>, object: T): Promise<void> => {
  try {
    await client.create(kind, object, { fieldManager: 'fairway' })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
}

/** Creates it or brings it up to date: the port changes from start to start. */
const replace = async <T extends KubeObject>(client: Client, kind: Kind<T>, object: T): Promise<void> => {
  try {
    await client.create(kind, object, { fieldManager: 'fairway' })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    await client.update(kind, object, { fieldManager: 'fairway' })
  }
}
