import { describe, expect, it } from 'vitest'
import { decoded } from '../../testing/index.ts'
import { serviceKind } from './kind.ts'

type Raw = Readonly<Record<string, unknown>>
const specOf = (spec: Raw): Raw => decoded(serviceKind, { metadata: { name: 'web' }, spec }).spec as Raw

describe('defaults of a Service', () => {
  it('fill in type, affinity, policy, protocol and target port', () => {
    expect(specOf({ ports: [{ port: 80 }] })).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    })
  })

  it.each<[string, Raw, Raw]>([
    [
      'ClientIP affinity lasts three hours',
      { sessionAffinity: 'ClientIP' },
      { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } },
    ],
    [
      'a config without affinity is dropped',
      { sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } },
      { sessionAffinity: 'None' },
    ],
    ['NodePort has an external policy', { type: 'NodePort' }, { externalTrafficPolicy: 'Cluster' }],
    ['external addresses have an external policy', { externalIPs: ['192.0.2.1'] }, { externalTrafficPolicy: 'Cluster' }],
    [
      'LoadBalancer allocates node ports',
      { type: 'LoadBalancer' },
      { allocateLoadBalancerNodePorts: true, externalTrafficPolicy: 'Cluster' },
    ],
    [
      'LoadBalancer may be told not to',
      { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
      { allocateLoadBalancerNodePorts: false },
    ],
    ['the singular address becomes the plural', { clusterIP: 'None' }, { clusterIPs: ['None'] }],
  ])('%s', (_, spec, expected) => {
    expect(specOf(spec)).toMatchObject(expected)
  })

  it.each<[string, Raw, string]>([
    ['an external policy for ClusterIP alone', {}, 'externalTrafficPolicy'],
    ['an internal policy for ExternalName', { type: 'ExternalName' }, 'internalTrafficPolicy'],
    [
      'an affinity config without affinity',
      { sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } },
      'sessionAffinityConfig',
    ],
  ])('leave out %s', (_, spec, field) => {
    expect(specOf(spec)).not.toHaveProperty(field)
  })

  it('say VIP for published addresses', () => {
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'a.b' }] } }
    const object = decoded(serviceKind, { metadata: { name: 'web' }, spec: { type: 'LoadBalancer' }, status })
    expect(object.status?.loadBalancer?.ingress).toEqual([{ ip: '192.0.2.1', ipMode: 'VIP' }, { hostname: 'a.b' }])
  })

  it('never change their argument, and change nothing the second time', () => {
    const given = Object.freeze({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: Object.freeze({ ports: [Object.freeze({ port: 80 })] }),
    })
    const once = serviceKind.setDefaults(given as never)
    expect(serviceKind.setDefaults(once)).toEqual(once)
    expect(given.spec).toEqual({ ports: [{ port: 80 }] })
  })
})
