import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { command } from '../support/instance.ts'
import { ingress, path, pod, service, socketVariant, startWorld, variants, type World } from '../support/world.ts'

/** The best that this user may have, and beside it sockets where that is the kernel. */
const machines = [...variants(24).slice(-1), ...socketVariant(24)]

/** What Kubernetes promises of Services, DNS names and Ingresses and clones get wrong, on one running instance. */
describe.each(machines)('what Kubernetes promises, $title', (variant) => {
  let world: World
  beforeAll(async () => {
    world = await startWorld(variant)
  })
  afterAll(() => world?.close())

  const SOON = { timeout: 20_000 }
  const ready = (name: string) => world.kubectl.ok(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s'])
  const refusal = async (manifest: object): Promise<string> => {
    const { code, stderr } = await world.kubectl.run(['create', '-f', '-'], JSON.stringify(manifest))
    expect(code).not.toBe(0)
    return stderr
  }
  const events = (name: string): Promise<string> =>
    world.jsonpath(
      '{range .items[*]}{.reason}: {.message}{"\\n"}{end}',
      'events',
      '--field-selector',
      `involvedObject.name=${name}`,
    )

  describe('DNS specification 1.1.0', () => {
    const zone = 'default.svc.cluster.local'
    beforeAll(async () => {
      const container = { readinessProbe: undefined }
      const unready = { readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1 } }
      await world.apply([
        pod('named', { labels: { set: 'dns' }, spec: { hostname: 'one', subdomain: 'pods' }, container }),
        pod('plain', { labels: { set: 'dns' }, container }),
        pod('sick', { labels: { set: 'dns' }, container: unready }),
        service('pods', {
          clusterIP: 'None',
          selector: { set: 'dns' },
          ports: [
            { name: 'web', port: 80, targetPort: 'http' },
            { port: 9, protocol: 'UDP', name: 'other' },
          ],
        }),
        service('all', { clusterIP: 'None', selector: { set: 'dns' }, publishNotReadyAddresses: true }),
        service('none', { clusterIP: 'None', selector: { set: 'nothing' } }),
        service('vip', { clusterIP: undefined, selector: { set: 'dns' } }),
        service('unnamed', { selector: { set: 'dns' }, ports: [{ port: 80 }] }),
        service('alias', { type: 'ExternalName', externalName: `vip.${zone}`, selector: undefined, ports: undefined }),
        service('number', { type: 'ExternalName', externalName: '192.0.2.7', selector: undefined, ports: undefined }),
      ])
      await ready('named')
      await ready('plain')
      await vi.waitFor(async () => {
        expect(await world.dig(`all.${zone}`)).toHaveLength(3)
        expect(await world.dig(`pods.${zone}`)).toHaveLength(2)
      }, SOON)
    })

    const ip = (name: string) => world.jsonpath('{.status.podIP}', 'pod', name)
    const dashed = async (name: string) => (await ip(name)).replaceAll('.', '-')

    it.each<[string, readonly string[], () => Promise<readonly string[]>]>([
      ['TXT dns-version', ['dns-version.cluster.local', 'TXT'], async () => ['"1.1.0"']],
      ['A is the ClusterIP', [`vip.${zone}`], async () => [await world.clusterIP('vip')]],
      ['names are compared without case', [`VIP.Default.SVC.Cluster.Local`], async () => [await world.clusterIP('vip')]],
      ['over TCP as well', ['+tcp', `vip.${zone}`], async () => [await world.clusterIP('vip')]],
      ['without EDNS as well', ['+noedns', `vip.${zone}`], async () => [await world.clusterIP('vip')]],
      ['SRV of a named port', [`_http._tcp.vip.${zone}`, 'SRV'], async () => [`0 100 8080 vip.${zone}.`]],
      ['a headless A for each ready endpoint', [`pods.${zone}`], async () => [await ip('named'), await ip('plain')]],
      ['the hostname of an endpoint', [`one.pods.${zone}`], async () => [await ip('named')]],
      [
        'a headless SRV with the port of the endpoints',
        [`_web._tcp.pods.${zone}`, 'SRV'],
        async () => [`0 100 8080 one.pods.${zone}.`, `0 100 8080 ${await dashed('plain')}.pods.${zone}.`],
      ],
      [
        'unready endpoints where they are published',
        [`all.${zone}`],
        async () => [await ip('named'), await ip('plain'), await ip('sick')],
      ],
      ['CNAME of an ExternalName', [`alias.${zone}`, 'CNAME'], async () => [`vip.${zone}.`]],
      ['an ExternalName followed inside the zone', [`alias.${zone}`], async () => [`vip.${zone}.`, await world.clusterIP('vip')]],
      ['an ExternalName like an address is still a CNAME', [`number.${zone}`], async () => ['192.0.2.7.']],
    ])('%s', async (_, question, expected) => {
      expect([...(await world.dig(...question))].sort()).toEqual([...(await expected())].sort())
    })

    it('the made-up hostname of an endpoint, and PTR of ClusterIP and endpoints', async () => {
      const plain = `${await dashed('plain')}.pods.${zone}`
      expect(await world.dig(plain)).toEqual([await ip('plain')])
      expect(await world.dig('-x', await world.clusterIP('vip'))).toEqual([`vip.${zone}.`])
      expect(await world.dig('-x', await ip('named'))).toContain(`one.pods.${zone}.`)
      expect(await world.dig('-x', await ip('plain'))).toContain(`${plain}.`)
    })

    it.each([
      ['a Service that is not there', 'A', `nosuch.${zone}`, 'NXDOMAIN'],
      ['a namespace that is not there', 'A', 'vip.nosuch.svc.cluster.local', 'NXDOMAIN'],
      ['another type of a name', 'AAAA', `vip.${zone}`, 'NOERROR'],
      ['a name above names', 'A', `_tcp.vip.${zone}`, 'NOERROR'],
      ['SRV of a port without name', 'SRV', `_._tcp.unnamed.${zone}`, 'NXDOMAIN'],
      ['SRV of another protocol', 'SRV', `_http._udp.vip.${zone}`, 'NXDOMAIN'],
      ['a hostname that no ready endpoint has', 'A', `two.pods.${zone}`, 'NXDOMAIN'],
      ['a headless Service without endpoints', 'A', `none.${zone}`, 'NXDOMAIN'],
      ['a type that is newer than the server', 'TYPE65', `vip.${zone}`, 'NOERROR'],
    ])('%s has no answer: %s %s is %s, with the SOA', async (_, type, name, status) => {
      const [host = '', port = ''] = world.instance.status.dns.split(':')
      const { stdout } = await command('dig', ['+tries=1', `@${host}`, '-p', port, name, type])
      expect(stdout).toContain(`status: ${status}`)
      expect(stdout).toContain('ANSWER: 0')
      expect(stdout).toMatch(/\sSOA\s/)
    })
  })

  describe('endpoints', () => {
    it('the only pod of a Service serves while it terminates, and not once a new one is ready', async () => {
      const lifecycle = { preStop: { sleep: { seconds: 25 } } }
      await world.apply([pod('last', { container: { lifecycle }, spec: { terminationGracePeriodSeconds: 30 } }), service('last')])
      await ready('last')
      const url = `http://${await world.clusterIP('last')}:8080/`
      await expect.poll(async () => (await world.get(url)).pod, SOON).toBe('last')
      await world.kubectl.ok(['delete', 'pod', 'last', '--wait=false'])
      const conditions = () =>
        world.jsonpath('{.items[*].endpoints[*].conditions}', 'endpointslices', '-l', 'kubernetes.io/service-name=last')
      await expect.poll(conditions, SOON).toBe('{"ready":false,"serving":true,"terminating":true}')
      expect((await world.get(url)).pod).toBe('last')
      await world.apply(pod('next', { labels: { app: 'last' } }))
      await ready('next')
      await expect.poll(async () => (await world.get(url)).pod, SOON).toBe('next')
      for (let i = 0; i < 10; i++) expect((await world.get(url)).pod).toBe('next')
      await world.kubectl.ok(['delete', 'pod', 'last', 'next', '--force', '--grace-period=0'])
    })

    it('a Service without pods has one empty slice that it owns', async () => {
      await world.apply(service('placeholder'))
      const slices = () =>
        world.kubectl.ok(['get', 'endpointslices', '-l', 'kubernetes.io/service-name=placeholder', '-o', 'json'])
      await expect.poll(async () => JSON.parse(await slices()).items.length, SOON).toBe(1)
      expect(JSON.parse(await slices()).items[0]).toMatchObject({
        metadata: {
          generateName: 'placeholder-',
          labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' },
          ownerReferences: [{ kind: 'Service', name: 'placeholder', controller: true }],
        },
      })
      await world.kubectl.ok(['delete', 'service', 'placeholder'])
      await expect.poll(async () => JSON.parse(await slices()).items, SOON).toEqual([])
    })
  })

  describe('allocation', () => {
    const nodePort = (name: string, port: number) => service(name, { type: 'NodePort', ports: [{ port: 80, nodePort: port }] })

    it('an address outside of the range, and one that is taken, are refused by name', async () => {
      expect(await refusal(service('far', { clusterIP: '192.0.2.1' }))).toMatch(/spec\.clusterIPs.*192\.0\.2\.1/)
      await world.apply(service('holder'))
      const taken = await world.clusterIP('holder')
      expect(await refusal(service('greedy', { clusterIP: taken }))).toContain('provided IP is already allocated')
    })

    it('a node port outside of the range, and one that is taken, are refused in the words of Kubernetes', async () => {
      expect(await refusal(nodePort('low', 80))).toContain('not in the valid range')
      await world.apply(nodePort('first', 30_017))
      expect(await refusal(nodePort('second', 30_017))).toContain('provided port is already allocated')
    })

    it('a dry run and a failed create take nothing', async () => {
      await world.kubectl.ok(['create', '--dry-run=server', '-f', '-'], JSON.stringify(nodePort('dry', 30_018)))
      await refusal(nodePort('Bad_Name', 30_018))
      await world.apply(nodePort('wet', 30_018))
      expect(await world.jsonpath('{.spec.ports[0].nodePort}', 'service', 'wet')).toBe('30018')
    })

    it('a deleted Service gives its address and its port back', async () => {
      await world.apply(nodePort('passing', 30_019))
      const address = await world.clusterIP('passing')
      await world.kubectl.ok(['delete', 'service', 'passing'])
      await world.apply(nodePort('heir', 30_019))
      await world.apply(service('heir-of-address', { clusterIP: address }))
      expect(await world.kubectl.ok(['get', 'ipaddress', address, '-o', 'jsonpath={.spec.parentRef.name}'])).toBe(
        'heir-of-address',
      )
    })
  })

  describe('Ingress', () => {
    beforeAll(async () => {
      await world.apply([pod('precise'), pod('wild'), pod('rest'), service('precise'), service('wild'), service('rest')])
      for (const name of ['precise', 'wild', 'rest']) await ready(name)
    })

    it('prefers the precise host, then one wildcard label, then none', async () => {
      await world.apply([
        ingress('precise', 'a.wild.example', [path('/', 'precise')]),
        ingress('wild', '*.wild.example', [path('/', 'wild')]),
        { ...ingress('rest', '', []), spec: { defaultBackend: { service: { name: 'rest', port: { name: 'http' } } } } },
      ])
      const at = async (host: string): Promise<string> => (await world.ingress(host, '/')).pod
      await expect.poll(() => at('a.wild.example'), SOON).toBe('precise')
      await expect.poll(() => at('b.wild.example'), SOON).toBe('wild')
      await expect.poll(() => at('wild.example'), SOON).toBe('rest')
      expect(await at('A.Wild.Example:80')).toBe('precise')
      expect(await at('c.b.wild.example')).toBe('rest')
      await world.kubectl.ok(['delete', 'ingress', 'precise', 'wild', 'rest'])
      await expect.poll(async () => (await world.ingress('a.wild.example', '/')).code, SOON).toBe(404)
    })

    it('publishes its address in the status of its own Ingresses, and leaves foreign ones alone', async () => {
      await world.apply([
        ingress('ours', 'ours.example', [path('/', 'rest')]),
        {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'IngressClass',
          metadata: { name: 'foreign' },
          spec: { controller: 'example.com/other' },
        },
        ingress('foreign', 'foreign.example', [path('/', 'rest')], { ingressClassName: 'foreign' }),
      ])
      await expect.poll(() => world.jsonpath('{.status.loadBalancer.ingress[0].ip}', 'ingress', 'ours'), SOON).not.toBe('')
      await expect.poll(async () => (await world.ingress('ours.example', '/')).pod, SOON).toBe('rest')
      expect((await world.ingress('foreign.example', '/')).code).toBe(404)
      expect(await world.jsonpath('{.status.loadBalancer}', 'ingress', 'foreign')).toBe('{}')
    })

    it('an ExternalName behind it is 503 for that path and an Event that says so', async () => {
      await world.apply([
        service('away', { type: 'ExternalName', externalName: 'www.example.com', selector: undefined }),
        ingress('away', 'away.example', [path('/', 'rest'), path('/away', 'away')]),
      ])
      await expect.poll(() => events('away'), SOON).toMatch(/ExternalNameUnsupported: .*default\/away/)
      expect((await world.ingress('away.example', '/away')).code).toBe(503)
      expect((await world.ingress('away.example', '/')).pod).toBe('rest')
    })
  })
})
