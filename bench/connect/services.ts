import { type Forwarding, forwardingKey, type NodeView, type Route, type Target } from '../../src/model/index.ts'

export const SERVICES = 10_000
export const PORT = 8080
export const SERVICE_CIDR = '10.96.0.0/16'
/** Where the endpoints of all Services are: something listens on each. */
export const ENDPOINTS: readonly string[] = [1, 2, 3, 4, 5].map((last) => `10.1.0.${last}`)
export const NODE: NodeView = { name: 'bench', addresses: [], podCIDRs: ['10.1.0.0/24'], nodePortAddresses: [] }

const route: Route = { set: 'cluster', masquerade: 'hairpin', whenEmpty: 'reject', why: 'InternalPolicyCluster' }
/** As the model says of a ClusterIP where the pods of the node are known. */
const routes = { pod: route, node: route, outside: { ...route, masquerade: 'always' as const } }
const addressOf = (index: number): string => `10.96.${index >> 8}.${index & 255}`

/** Service number `index` (from 1), with these of the endpoints. */
export const forwardingOf = (index: number, endpoints: readonly string[] = ENDPOINTS): Forwarding => {
  const address = addressOf(index)
  return {
    key: forwardingKey('IPv4', 'bench', `s${index}`),
    namespace: 'bench',
    name: `s${index}`,
    family: 'IPv4',
    clusterIP: address,
    ports: [
      {
        name: 'http',
        protocol: 'TCP',
        port: 80,
        frontends: [{ kind: 'ClusterIP', address, port: 80, routes }],
        cluster: endpoints.map((each) => ({ address: each, port: PORT })),
        local: [],
        hints: 'none',
        endpoints: [],
        ignored: [],
      },
    ],
  }
}

export const ALL: readonly Forwarding[] = Array.from({ length: SERVICES }, (_, index) => forwardingOf(index + 1))

/** One Service in the middle of them. */
export const ONE: readonly Target[] = [{ address: addressOf(SERVICES / 2), port: 80 }]
/** A hundred all over the range: what one connection leaves in the processor's caches does not help the next. */
export const HUNDRED: readonly Target[] = Array.from({ length: 100 }, (_, index) => ({
  address: addressOf(index * 100 + 51),
  port: 80,
}))
export const DIRECT: readonly Target[] = ENDPOINTS.map((address) => ({ address, port: PORT }))
