import type { Service } from '../../../api/index.ts'
import { realClock, silentLogger } from '../../../base/index.ts'
import { type ProviderHarness, providerConformance } from '../../provider.conformance.ts'
import { ANNOTATIONS } from './annotations/index.ts'
import type { CloudApi } from './client/index.ts'
import { CLUSTER_TAG } from './marks.ts'
import { createTencentProvider } from './provider.ts'
import { startTestCloud, type TestCloud } from './testing/cloud.ts'
import { testObjects } from './testing/objects.ts'

const NEVER = new AbortController().signal
const CLUSTER = 'cls-conformance'
const READS = new Set([
  'describeLoadBalancers',
  'loadBalancer',
  'loadBalancersTagged',
  'describeListeners',
  'listListeners',
  'instanceIds',
])

const NODES = [
  {
    name: 'n1',
    providerID: undefined,
    addresses: ['127.0.0.1'],
    labels: {},
    isReady: true,
    isUnschedulable: false,
  },
]

/** Counts what changes, and dies at one of these calls. */
const watched = (api: CloudApi, sawWrite: () => Promise<void>) => {
  const state = { writes: 0, left: Number.POSITIVE_INFINITY, when: 'before' as 'before' | 'after', isDead: false }
  const step = (when: 'before' | 'after'): void => {
    if (state.isDead) throw new Error('dead')
    if (state.when !== when || --state.left > 0) return
    state.isDead = true
    throw new Error('dies')
  }
  const wrapped = Object.fromEntries(
    Object.entries(api).map(([name, call]) => [
      name,
      async (...args: readonly unknown[]) => {
        if (READS.has(name)) {
          if (state.isDead) throw new Error('dead')
          return (call as (...given: readonly unknown[]) => Promise<unknown>)(...args)
        }
        step('before')
        state.writes++
        const answer = await (call as (...given: readonly unknown[]) => Promise<unknown>)(...args)
        await sawWrite()
        step('after')
        return answer
      },
    ]),
  ) as unknown as CloudApi
  return { state, api: wrapped }
}

const open = async (): Promise<ProviderHarness> => {
  const cloud: TestCloud = await startTestCloud()
  const everything = () => cloud.api.describeLoadBalancers({}, NEVER)
  let known: Awaited<ReturnType<typeof everything>> = []
  const all = watched(cloud.api, async () => {
    known = await everything()
  })
  const existing = new Map<string, string>()
  for (const share of ['s']) {
    const id = await cloud.api.createLoadBalancer(
      { ClientToken: share, LoadBalancerType: 'OPEN', LoadBalancerName: 'lent' },
      NEVER,
    )
    existing.set(share, id)
  }
  return {
    open: () => {
      Object.assign(all.state, { left: Number.POSITIVE_INFINITY, isDead: false })
      return createTencentProvider(
        {
          clusterId: CLUSTER,
          nodeTargets: 'address',
          drainMs: 0,
          loadBalancerClass: 'x/y',
          servesNoClass: true,
          creationPollMs: 5,
        },
        { api: all.api, objects: testObjects(), clock: realClock, log: silentLogger },
      )
    },
    service: (name, { ports, share }): Service => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name,
        namespace: 'default',
        uid: `uid-${name}`,
        creationTimestamp: `2026-01-01T00:00:${String(name.charCodeAt(0) % 60).padStart(2, '0')}Z`,
        annotations: share === undefined ? {} : { [ANNOTATIONS.existedId.key]: existing.get(share) ?? '' },
      },
      spec: {
        type: 'LoadBalancer',
        ports: ports.map((port) => ({ name: `p${port}`, port, protocol: 'TCP' as const, nodePort: 30_000 + port })),
      },
    }),
    async served() {
      const lines: string[] = []
      for (const { id, vips } of await everything())
        for (const { protocol, port } of await cloud.api.listListeners(id, NEVER)) lines.push(`${vips[0]} ${protocol} ${port}`)
      return lines.sort()
    },
    writes: () => all.state.writes,
    // What is lent counts while it is in use.
    count: () => known.filter(({ id, tags }) => ![...existing.values()].includes(id) || CLUSTER_TAG in tags).length,
    dieAt(nth, when) {
      Object.assign(all.state, { left: nth, when, isDead: false })
      return true
    },
    nodes: NODES,
    close: () => cloud.close(),
  }
}

providerConformance('tencent', open)
