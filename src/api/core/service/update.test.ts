import { describe, expect, it } from 'vitest'
import { PROBLEM_LIMIT } from '../../problems.ts'
import { decoded, problemLines, problemsOf, service } from '../../testing/index.ts'
import { serviceKind } from './kind.ts'
import type { ServiceSpec } from './schema.ts'

type Raw = Readonly<Record<string, unknown>>

const web = (spec: Raw, metadata: Raw = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', ...metadata },
  spec,
})

const one = [{ port: 80 }]
describe('hostile Services', () => {
  it('with ten thousand bad ports are answered fast and briefly', () => {
    const ports = Array.from({ length: 10_000 }, () => ({ port: -1, protocol: 'X', name: 'same' }))
    const object = decoded(serviceKind, web({ ports }))
    const before = performance.now()
    const problems = serviceKind.validate(object)
    expect(performance.now() - before).toBeLessThan(1000)
    expect(problems).toHaveLength(PROBLEM_LIMIT + 1)
    expect(problems.at(-1)).toMatchObject({
      type: 'TooMany',
      detail: `problems in this object; only the first ${PROBLEM_LIMIT} are listed`,
    })
  })

  it('with strings of a megabyte are answered fast', () => {
    const long = 'a-'.repeat(500_000)
    const before = performance.now()
    const lines = problemsOf(
      serviceKind,
      web({
        ports: [{ port: 80, name: long, targetPort: long, appProtocol: long }],
        externalIPs: [long],
        clusterIP: long,
        selector: { [long]: long },
      }),
    )
    expect(performance.now() - before).toBeLessThan(1000)
    expect(lines.length).toBeGreaterThan(6)
  })

  it('with __proto__ in their selector keep it as a key like any other', () => {
    const body = JSON.parse(
      '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"ports":[{"port":80}],"selector":{"__proto__":"x"}}}',
    )
    const object = decoded(serviceKind, body)
    expect(Object.keys(object.spec.selector ?? {})).toEqual(['__proto__'])
    expect(problemLines(serviceKind.validate(object))[0]).toContain('spec.selector: Invalid name part')
  })
})

describe('an update of a Service', () => {
  const dual = {
    ports: one,
    clusterIP: '10.0.0.1',
    clusterIPs: ['10.0.0.1', '2001:db8::1'],
    ipFamilies: ['IPv4', 'IPv6'],
    ipFamilyPolicy: 'RequireDualStack',
  }
  const single = {
    ports: one,
    clusterIP: '10.0.0.1',
    clusterIPs: ['10.0.0.1'],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
  }
  const balanced = { ...single, type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30100 }

  it.each<[string, Raw, Raw, string[]]>([
    ['may change nothing', single, single, []],
    ['may add the second family', single, dual, []],
    ['may drop the second family with policy SingleStack', dual, single, []],
    ['may become ExternalName and come back elsewhere', single, { type: 'ExternalName', externalName: 'a.b' }, []],
    ['may come back from ExternalName', { type: 'ExternalName', externalName: 'a.b' }, single, []],
    ['may leave out the health check port', balanced, { ...balanced, healthCheckNodePort: 0 }, []],
    [
      'may not change the address',
      single,
      { ...single, clusterIP: '10.0.0.2', clusterIPs: ['10.0.0.2'] },
      ['spec.clusterIPs[0]: Invalid may not change once set'],
    ],
    [
      'may not lose the address',
      single,
      { ports: one, ipFamilies: ['IPv4'] },
      ['spec.clusterIPs[0]: Invalid primary clusterIP can not be unset'],
    ],
    [
      'may not become headless',
      single,
      { ...single, clusterIP: 'None', clusterIPs: ['None'] },
      ['spec.clusterIPs[0]: Invalid may not change once set'],
    ],
    [
      'may not swap families',
      dual,
      { ...dual, clusterIP: '2001:db8::1', clusterIPs: ['2001:db8::1', '10.0.0.1'], ipFamilies: ['IPv6', 'IPv4'] },
      [
        'spec.clusterIPs[0]: Invalid may not change once set',
        'spec.clusterIPs[1]: Invalid may not change once set',
        'spec.ipFamilies[0]: Invalid may not change once set',
        'spec.ipFamilies[1]: Invalid may not change once set',
      ],
    ],
    [
      'may not drop the second family with another policy',
      dual,
      { ...single, ipFamilyPolicy: 'PreferDualStack' },
      [
        "spec.ipFamilyPolicy: Invalid must be set to 'SingleStack' when releasing the secondary clusterIP",
        "spec.ipFamilyPolicy: Invalid must be set to 'SingleStack' when releasing the secondary ipFamily",
      ],
    ],
    [
      'may not change the load balancer class',
      { ...single, type: 'LoadBalancer', loadBalancerClass: 'a.b/c' },
      { ...single, type: 'LoadBalancer', loadBalancerClass: 'a.b/d' },
      ['spec.loadBalancerClass: Invalid may not change once set'],
    ],
    [
      'may not change the health check port',
      balanced,
      { ...balanced, healthCheckNodePort: 30101 },
      ['spec.healthCheckNodePort: Forbidden field is immutable'],
    ],
    [
      'keeps an address from before strict spelling',
      { ...single, clusterIP: '010.0.0.1', clusterIPs: ['010.0.0.1'], externalIPs: ['010.0.0.9'] },
      { ...single, clusterIP: '010.0.0.1', clusterIPs: ['010.0.0.1'], externalIPs: ['010.0.0.9', '010.0.0.8'] },
      ['spec.externalIPs[1]: Invalid must not have leading 0s'],
    ],
  ])('%s', (_, old, spec, expected) => {
    expect(problemsOf(serviceKind, web(spec), web(old))).toEqual(expected)
  })
})

describe('the status of a Service', () => {
  const base = service('web').port(80)
  const withIngress = (type: ServiceSpec['type'], ingress: readonly object[]) =>
    base
      .spec({ type })
      .with((object) => ({ ...object, status: { loadBalancer: { ingress } } }))
      .build()

  it.each<[string, readonly object[], string[]]>([
    ['an address', [{ ip: '192.0.2.1' }], []],
    ['an address behind a proxy', [{ ip: '192.0.2.1', ipMode: 'Proxy' }], []],
    ['a host name', [{ hostname: 'lb.example.com' }], []],
    ['no address', [{ ip: 'lb' }], ['status.loadBalancer.ingress[0].ip: Invalid must be a valid IP address,']],
    [
      'a mode without address',
      [{ hostname: 'a.b', ipMode: 'VIP' }],
      ['status.loadBalancer.ingress[0].ipMode: Forbidden may not be specified when `ip` is not set'],
    ],
    [
      'an unknown mode',
      [{ ip: '192.0.2.1', ipMode: 'X' }],
      ['status.loadBalancer.ingress[0].ipMode: NotSupported supported values: "Proxy", "VIP"'],
    ],
    [
      'an address for host name',
      [{ hostname: '192.0.2.1' }],
      ['status.loadBalancer.ingress[0].hostname: Invalid must be a DNS name, not an IP address'],
    ],
  ])('may publish %s or says why not', (_, ingress, expected) => {
    expect(problemLines(serviceKind.validate(withIngress('LoadBalancer', ingress)))).toEqual(expected)
  })

  it('has no addresses unless the type is LoadBalancer', () => {
    expect(problemLines(serviceKind.validate(withIngress('ClusterIP', [{ ip: '192.0.2.1' }])))).toEqual([
      "status.loadBalancer.ingress: Forbidden may only be used when `spec.type` is 'LoadBalancer'",
    ])
  })
})
