import type { Endpoint, EndpointSlice, Node, Service } from '../../src/api/index.ts'

export const ENDPOINTS = 5
export const NODE_NAME = 'n1'

/** As a cluster's controllers write them: with the pods' names and zones, and an owner. */
export const serviceAt = (index: number): Service => {
  const address = `10.${96 + ((index + 256) >> 16)}.${((index + 256) >> 8) & 255}.${index & 255}`
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: nameOf(index), namespace: namespaceOf(index), labels: { app: nameOf(index), tier: 'backend' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
      selector: { app: nameOf(index) },
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    },
  }
}

/** Every generation has another fifth endpoint. */
export const sliceAt = (index: number, generation = 0): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  addressType: 'IPv4',
  metadata: {
    name: `${nameOf(index)}-x7k2p`,
    generateName: `${nameOf(index)}-`,
    namespace: namespaceOf(index),
    labels: {
      app: nameOf(index),
      tier: 'backend',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      'kubernetes.io/service-name': nameOf(index),
    },
    annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-11-25T10:00:00Z' },
    ownerReferences: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: nameOf(index),
        uid: uidOf(index),
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: Array.from({ length: ENDPOINTS }, (_, each) => endpointAt(index, each, each === ENDPOINTS - 1 ? generation : 0)),
})

const endpointAt = (index: number, each: number, generation: number): Endpoint => {
  const host = index * ENDPOINTS + each + generation
  return {
    addresses: [`10.${128 + ((host >> 16) & 63)}.${(host >> 8) & 255}.${host & 255}`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `node-${host % 500}`,
    zone: `zone-${host % 3}`,
    targetRef: { kind: 'Pod', name: `${nameOf(index)}-6d4cf56db6-${host}`, namespace: namespaceOf(index), uid: uidOf(host) },
  }
}

export const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: NODE_NAME },
  spec: { podCIDR: '10.64.0.0/24', podCIDRs: ['10.64.0.0/24'] },
  status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
}

const nameOf = (index: number): string => `service-${index}`
const namespaceOf = (index: number): string => `team-${index % 100}`
const uidOf = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
