import { describe, expect, it } from 'vitest'
import { type Service, type ServiceSpec, serviceKind } from '../../../api/index.ts'
import { allocationsOf, newService, port } from '../../allocators/testing/allocating-api.ts'
import { allocatingServers, expectNoLeak, lastByte, refusal, replace, web } from './testing/services.ts'

const start = allocatingServers()

describe('cluster addresses', () => {
  it('are picked above the static band, and the first one is for default/kubernetes', async () => {
    const api = await start()
    const kubernetes = await api.client.get(serviceKind, { namespace: 'default', name: 'kubernetes' })
    expect(kubernetes.spec.clusterIPs).toEqual(['10.96.0.1'])
    const services = await Promise.all(
      Array.from({ length: 30 }, (_, index) => api.client.create(serviceKind, newService(`s${index}`))),
    )
    for (const { spec } of services) expect(lastByte(spec.clusterIP)).toBeGreaterThan(16)
    expect(services[0]?.spec).toMatchObject({
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      clusterIPs: [services[0]?.spec.clusterIP],
    })
    await expectNoLeak(api)
  })

  it('come from the static band when the dynamic one is full, and then there are none', async () => {
    const api = await start({ serviceCIDRs: ['10.96.0.0/27'] })
    const names = Array.from({ length: 29 }, (_, index) => `s${index}`)
    const ips = []
    for (const name of names) ips.push(lastByte((await api.client.create(serviceKind, newService(name))).spec.clusterIP))
    expect(ips.slice(0, 14).every((ip) => ip > 16)).toBe(true)
    expect([...ips].sort((a, b) => a - b)).toEqual(Array.from({ length: 29 }, (_, index) => index + 2))
    expect(await refusal(api.client.create(serviceKind, newService('more')))).toContain(
      'failed to allocate a serviceIP: range is full',
    )
    await api.client.delete(serviceKind, { namespace: 'default', name: 's7' })
    expect(lastByte((await api.client.create(serviceKind, newService('more'))).spec.clusterIP)).toBe(ips[7])
    await expectNoLeak(api)
  })

  it.each([
    ['a free one of the static band', '10.96.0.7', 'accepted'],
    ['one that is taken', '10.96.0.9', 'failed to allocate IP 10.96.0.9: provided IP is already allocated'],
    ['the first one', '10.96.0.1', 'provided IP is already allocated'],
    [
      'one of another network',
      '10.97.0.9',
      'the provided IP (10.97.0.9) is not in the valid range. The range of valid IPs is 10.96.0.0/24',
    ],
    ['the network address', '10.96.0.0', 'is not in the valid range. The range of valid IPs is 10.96.0.0/24'],
    ['the broadcast address', '10.96.0.255', 'is not in the valid range'],
    [
      'one of a family without a range',
      'fd00::9',
      'spec.clusterIPs[0]: Invalid value: "fd00::9": not configured on this cluster',
    ],
  ])('may be asked for: %s', async (_, clusterIP, expected) => {
    const api = await start()
    await api.client.create(serviceKind, newService('other', { clusterIP: '10.96.0.9' }))
    expect(await refusal(api.client.create(serviceKind, newService('web', { clusterIP })))).toContain(expected)
    await expectNoLeak(api)
  })

  it('a refusal is Invalid and names the field', async () => {
    const api = await start()
    const failed = await api.client
      .create(serviceKind, newService('web', { clusterIP: '10.97.0.9' }))
      .catch((error: unknown) => error)
    expect(failed).toMatchObject({ code: 422, reason: 'Invalid', details: { causes: [{ field: 'spec.clusterIPs' }] } })
  })

  it('are not given to headless Services', async () => {
    const api = await start()
    const { spec } = await api.client.create(serviceKind, newService('web', { clusterIP: 'None', selector: { app: 'web' } }))
    expect(spec).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' })
    await expectNoLeak(api)
  })

  it('a headless Service without selector has both families on any cluster', async () => {
    const api = await start()
    const { spec } = await api.client.create(serviceKind, newService('web', { clusterIP: 'None' }))
    expect(spec).toMatchObject({ ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' })
  })

  it('one that was asked for by many at once goes to one of them', async () => {
    const api = await start()
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        refusal(api.client.create(serviceKind, newService(`s${index}`, { clusterIP: '10.96.0.5' }))),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome.includes('provided IP is already allocated'))).toHaveLength(19)
    await expectNoLeak(api)
  })

  it('as many creates at once as there are addresses all succeed', async () => {
    const api = await start({ serviceCIDRs: ['10.96.0.0/25'] })
    await Promise.all(Array.from({ length: 125 }, (_, index) => api.client.create(serviceKind, newService(`s${index}`))))
    await expectNoLeak(api)
  })
})

describe('node ports', () => {
  it('are picked above the static band', async () => {
    const api = await start()
    const { spec } = await api.client.create(
      serviceKind,
      newService('web', { type: 'NodePort', ports: [port(80, { name: 'a' }), port(81, { name: 'b' })] }),
    )
    for (const { nodePort } of spec.ports ?? []) expect(nodePort).toBeGreaterThanOrEqual(30086)
    expect(spec.ports?.[0]?.nodePort).not.toBe(spec.ports?.[1]?.nodePort)
    await expectNoLeak(api)
  })

  it.each([
    ['free', 30080, 'accepted'],
    ['taken', 30090, 'spec.ports[0].nodePort: Invalid value: 30090: provided port is already allocated'],
    ['below the range', 80, 'provided port is not in the valid range. The range of valid ports is 30000-32767'],
    ['above the range', 32768, 'is not in the valid range'],
  ])('may be asked for: %s', async (_, nodePort, expected) => {
    const api = await start()
    await api.client.create(serviceKind, newService('other', { type: 'NodePort', ports: [port(1, { nodePort: 30090 })] }))
    const created = api.client.create(serviceKind, newService('web', { type: 'NodePort', ports: [port(80, { nodePort })] }))
    expect(await refusal(created)).toContain(expected)
    await expectNoLeak(api)
  })

  it('TCP and UDP may share a number, and do for the same port', async () => {
    const api = await start()
    const ports = [port(53, { name: 'tcp' }), port(53, { name: 'udp', protocol: 'UDP' })]
    const dns = await api.client.create(serviceKind, newService('dns', { type: 'NodePort', ports }))
    expect(dns.spec.ports?.[0]?.nodePort).toBe(dns.spec.ports?.[1]?.nodePort)
    const nodePort = 30001
    await api.client.create(serviceKind, newService('a', { type: 'NodePort', ports: [port(1, { nodePort })] }))
    await api.client.create(serviceKind, newService('b', { type: 'NodePort', ports: [port(1, { nodePort, protocol: 'UDP' })] }))
    await expectNoLeak(api)
  })

  it('run out with an error that says so, and leave nothing', async () => {
    const api = await start({ nodePortRange: { from: 30000, to: 30001 } })
    const ports = [1, 2, 3].map((number) => port(number, { name: `p${number}` }))
    expect(await refusal(api.client.create(serviceKind, newService('web', { type: 'NodePort', ports })))).toContain(
      'failed to allocate a nodePort: range is full',
    )
    await api.client.create(serviceKind, newService('web', { type: 'NodePort', ports: ports.slice(0, 2) }))
    await expectNoLeak(api)
  })

  it('problems of addresses and ports are reported together', async () => {
    const api = await start()
    const message = await refusal(
      api.client.create(
        serviceKind,
        newService('web', { type: 'NodePort', clusterIP: '10.1.1.1', ports: [port(1, { nodePort: 1 })] }),
      ),
    )
    expect(message).toContain('spec.clusterIPs: ')
    expect(message).toContain('spec.ports[0].nodePort: ')
    await expectNoLeak(api)
  })

  it('a load balancer may do without, and keeps those that it has', async () => {
    const api = await start()
    const none = await api.client.create(
      serviceKind,
      newService('none', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    )
    expect(none.spec.ports?.[0]?.nodePort).toBeUndefined()
    const { spec } = await api.client.create(serviceKind, newService('web', { type: 'LoadBalancer' }))
    const later = await replace(api, { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false })
    expect(later.spec.ports).toEqual(spec.ports)
    await expectNoLeak(api)
  })

  it('of the health check is allocated for local traffic policy, may be asked for, and is given back', async () => {
    const api = await start()
    const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' } as const
    const { spec } = await api.client.create(serviceKind, newService('web', local))
    expect(spec.healthCheckNodePort).toBeGreaterThanOrEqual(30086)
    expect((await replace(api, local)).spec.healthCheckNodePort).toBe(spec.healthCheckNodePort)
    const asked = newService('other', { ...local, healthCheckNodePort: spec.healthCheckNodePort })
    expect(await refusal(api.client.create(serviceKind, asked))).toContain('spec.healthCheckNodePort: Invalid value')
    const cluster = await replace(api, { type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' })
    expect(cluster.spec.healthCheckNodePort).toBeUndefined()
    expect((await api.client.create(serviceKind, asked)).spec.healthCheckNodePort).toBe(spec.healthCheckNodePort)
    await expectNoLeak(api)
  })
})

describe('replacing without the allocated values', () => {
  it('keeps the address and the node ports, also of renumbered ports', async () => {
    const api = await start()
    const before = await api.client.create(
      serviceKind,
      newService('web', { type: 'NodePort', ports: [port(80, { name: 'http' }), port(443, { name: 'https' })] }),
    )
    const after = await replace(api, {
      type: 'NodePort',
      ports: [port(8443, { name: 'https' }), port(80, { name: 'http' }), port(9, { name: 'new' })],
    })
    expect(after.spec.clusterIPs).toEqual(before.spec.clusterIPs)
    const numbers = Object.fromEntries((before.spec.ports ?? []).map(({ name, nodePort }) => [name, nodePort]))
    expect(after.spec.ports?.slice(0, 2).map(({ nodePort }) => nodePort)).toEqual([numbers['https'], numbers['http']])
    expect(after.spec.ports?.[2]?.nodePort).toBeGreaterThan(30000)
    await expectNoLeak(api)
  })

  it('gives back the node port of a port that is gone', async () => {
    const api = await start()
    await api.client.create(
      serviceKind,
      newService('web', {
        type: 'NodePort',
        ports: [port(1, { name: 'a', nodePort: 30001 }), port(2, { name: 'b', nodePort: 30002 })],
      }),
    )
    await replace(api, { type: 'NodePort', ports: [port(2, { name: 'b' })] })
    expect((await allocationsOf(api)).ports).toEqual(['TCP/30002'])
  })

  it('an address cannot be changed', async () => {
    const api = await start()
    await api.client.create(serviceKind, newService('web'))
    expect(await refusal(replace(api, { clusterIP: '10.96.0.4' }))).toContain('may not change once set')
    await expectNoLeak(api)
  })
})

describe('changes of type', () => {
  const specs: Readonly<Record<string, Partial<ServiceSpec>>> = {
    ClusterIP: { type: 'ClusterIP' },
    Headless: { type: 'ClusterIP', clusterIP: 'None' },
    NodePort: { type: 'NodePort' },
    LoadBalancer: { type: 'LoadBalancer' },
    'LoadBalancer without node ports': { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
    'LoadBalancer local': { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
    ExternalName: { type: 'ExternalName', externalName: 'example.org' },
  }
  // A headless Service has no address that could become one without ExternalName between them.
  const isAllowed = (from: string, to: string): boolean =>
    from === to || from === 'ExternalName' || to === 'ExternalName' || (from !== 'Headless' && to !== 'Headless')
  const pairs = Object.keys(specs).flatMap((from) =>
    Object.keys(specs).flatMap((to) => (isAllowed(from, to) ? [[from, to] as const] : [])),
  )

  it.each(pairs)('%s → %s by replace allocates what the new type needs and nothing else', async (from, to) => {
    const api = await start()
    const before = await api.client.create(serviceKind, newService('web', specs[from]))
    const after = await replace(api, specs[to] ?? {})
    const hasIP = to !== 'ExternalName' && to !== 'Headless'
    expect((await allocationsOf(api)).addresses).toHaveLength(hasIP ? 2 : 1)
    if (hasIP && from !== 'ExternalName' && from !== 'Headless') expect(after.spec.clusterIP).toBe(before.spec.clusterIP)
    await expectNoLeak(api)
  })

  it.each([
    ['NodePort', 'ClusterIP'],
    ['LoadBalancer', 'NodePort'],
    ['LoadBalancer', 'ClusterIP'],
    ['LoadBalancer local', 'ClusterIP'],
    ['ClusterIP', 'NodePort'],
  ])('%s → %s by a patch of the type alone', async (from, to) => {
    const api = await start()
    const before = await api.client.create(serviceKind, newService('web', specs[from]))
    const after = await api.client.patch(serviceKind, web, { type: 'merge', value: { spec: { type: to } } })
    expect(after.spec.clusterIP).toBe(before.spec.clusterIP)
    if (to === 'NodePort' && from === 'LoadBalancer') expect(after.spec.ports).toEqual(before.spec.ports)
    if (to === 'ClusterIP') expect(after.spec.ports?.[0]?.nodePort).toBeUndefined()
    await expectNoLeak(api)
  })

  it('→ ExternalName by a patch gives everything back, and the way back allocates anew', async () => {
    const api = await start()
    await api.client.create(serviceKind, newService('web', { type: 'NodePort' }))
    const named = await api.client.patch(serviceKind, web, {
      type: 'merge',
      value: { spec: { type: 'ExternalName', externalName: 'example.org' } },
    })
    expect(named.spec).not.toHaveProperty('clusterIP')
    expect((await allocationsOf(api)).addresses).toHaveLength(1)
    const back = await api.client.patch(serviceKind, web, { type: 'merge', value: { spec: { type: 'ClusterIP' } } })
    expect(back.spec.clusterIP).toMatch(/^10\.96\.0\./)
    expect(back.spec).not.toHaveProperty('externalName')
    await expectNoLeak(api)
  })

  it('the published addresses are wiped when a load balancer becomes something else', async () => {
    const api = await start()
    const service = await api.client.create(serviceKind, newService('web', { type: 'LoadBalancer' }))
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.5' }] } }
    await api.client.update(serviceKind, { ...service, status }, { subresource: 'status' })
    const after = await api.client.patch(serviceKind, web, { type: 'merge', value: { spec: { type: 'NodePort' } } })
    expect(after.status).toEqual({ loadBalancer: {} })
  })
})

describe('hostile bodies', () => {
  it.each([
    ['no spec', { metadata: { name: 'web', namespace: 'default' } }, 'spec.ports: Required value'],
    [
      'a spec with __proto__',
      {
        metadata: { name: 'web', namespace: 'default' },
        spec: JSON.parse('{"__proto__":{"type":"NodePort"},"ports":[{"port":80}]}'),
      },
      '',
    ],
    [
      'ten thousand node ports',
      newService('web', {
        type: 'NodePort',
        ports: Array.from({ length: 10_000 }, (_, index) => port(index + 1, { name: `p${index}` })),
      }),
      'range is full',
    ],
  ])('%s', async (_, body, expected) => {
    const api = await start()
    expect(await refusal(api.client.create(serviceKind, body as Service))).toContain(expected)
    await expectNoLeak(api)
  })
})
