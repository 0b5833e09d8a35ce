import { actionNamed, type Context, type Outcome } from '../actions/index.ts'
import { CloudError } from '../errors.ts'
import type { LoadBalancer } from '../model.ts'
import { defaultQuotas } from '../quotas.ts'
import { emptyState, evolve, runningTasks, type State, settle } from '../state.ts'

let ids = 0
const context = (more: Partial<Context> = {}): Context => ({
  now: 1_000,
  requestId: `task-${++ids}`,
  region: 'ap-guangzhou',
  uin: '1',
  inventory: {
    vpcId: 'vpc-a',
    zone: 'z',
    instances: [{ id: 'ins-a', address: '127.0.0.1' }],
    subnets: [{ id: 'subnet-a', cidr: '10.0.0.0/24', vpcId: 'vpc-a' }],
  },
  quotas: defaultQuotas,
  isDomainType: false,
  newId: (prefix) => `${prefix}-${++ids}`,
  freeVip: (taken, wanted) => (wanted === '9.9.9.9' ? undefined : (wanted ?? `127.210.0.${taken.size + 1}`)),
  hasCertificate: (id) => id.startsWith('cert-'),
  healthOf: () => 'Alive',
  failingListeners: 0,
  ...more,
})

export const run = (state: State, name: string, request: unknown, more: Partial<Context> = {}): Outcome =>
  actionNamed('2018-03-17', name).run(state, request, context(more))

/** Does it, and ends its task. */
export const carriedOut = (state: State, name: string, request: unknown): State => {
  const begun = evolve(state, run(state, name, request).events)
  return runningTasks(begun).reduce((one, { id }) => evolve(one, settle(one, id)), begun)
}

export const refusal = (name: string, request: unknown, state: State = base, more: Partial<Context> = {}): string => {
  try {
    run(state, name, request, more)
    return 'success'
  } catch (error) {
    if (error instanceof CloudError) return error.code
    throw error
  }
}

export const only = (state: State): LoadBalancer => {
  const [one] = state.loadBalancers.values()
  if (one === undefined) throw new Error('no load balancer')
  return one
}

const created = carriedOut(emptyState, 'CreateLoadBalancer', { LoadBalancerType: 'OPEN' })
export const LoadBalancerId = only(created).id
const withListeners = [
  { Ports: [80], Protocol: 'HTTP' },
  { Ports: [8000, 8001], Protocol: 'TCP' },
  { Ports: [53], Protocol: 'UDP' },
  { Ports: [443], Protocol: 'HTTPS', SniSwitch: 1 },
].reduce((state, more) => carriedOut(state, 'CreateListener', { LoadBalancerId, ...more }), created)
export const [http, tcp, tcp2, udp, https] = only(withListeners).listeners.map(({ id }) => id)
const withRules = carriedOut(withListeners, 'CreateRule', {
  LoadBalancerId,
  ListenerId: http,
  Rules: [
    { Domain: 'a.com', Url: '/' },
    { Domain: 'b.com', Url: '/' },
  ],
})
export const base = carriedOut(withRules, 'RegisterTargets', {
  LoadBalancerId,
  ListenerId: tcp,
  Targets: [{ EniIp: '10.0.0.1', Port: 80 }],
})
export const [rule] = only(base).listeners.find(({ id }) => id === http)?.rules ?? []
