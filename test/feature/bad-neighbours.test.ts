import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { command, isRoot } from '../support/instance.ts'
import { expectUnharmed } from '../support/unharmed.ts'
import { deployment, echoPod, ingress, path, pod, service, startWorld, type World } from '../support/world.ts'

const SOON = { timeout: 20_000 }
const variants = [
  { title: 'as an ordinary user', asUser: true, slot: 11 },
  ...(isRoot ? [{ title: 'as root, pods in network namespaces', asUser: false, slot: 14 }] : []),
]

describe.each(variants)('what is around an instance goes wrong, $title', ({ asUser, slot }) => {
  let world: World

  beforeAll(async () => {
    world = await startWorld({ slot, asUser })
    await world.apply([deployment('web', echoPod('web')), service('web'), ingress('web', 'good.example', [path('/', 'web')])])
    await world.rollout('web')
  })
  afterEach(async () => {
    await expectUnharmed(world.instance, '/api/v1/namespaces/default/services/web')
    await expect.poll(async () => (await world.ingress('good.example', '/')).pod, SOON).toMatch(/^web-/)
    expect((await world.get(`http://${await world.clusterIP('web')}:8080/`)).pod).toMatch(/^web-/)
  })
  afterAll(() => world?.close())

  /** Reasons and messages of the Events about an object. */
  const events = (kind: string, name: string): Promise<string> =>
    world.kubectl.ok([
      ...['get', 'events', `--field-selector=involvedObject.kind=${kind},involvedObject.name=${name}`],
      ...['-o', 'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}'],
    ])

  /** Time that the instance has computed, in ticks. */
  const cpuTicks = async (): Promise<number> =>
    Number((await readFile(`/proc/${world.instance.process.pid}/stat`, 'utf8')).split(' ')[13])

  const expectEvent = (kind: string, name: string, text: RegExp): Promise<void> =>
    expect.poll(() => events(kind, name), SOON).toMatch(text)

  describe('a node port that another process holds', () => {
    let holder: Server
    afterAll(() => holder?.close())

    it('is told as an Event, leaves the other ports alone, and is served when it becomes free', async () => {
      holder = createServer().listen(31_750, '0.0.0.0')
      await once(holder, 'listening')
      const ports = [31_750, 31_751].map((nodePort, i) => ({ name: `p${i}`, port: 8080 + i, targetPort: 8080, nodePort }))
      await world.apply(service('held', { type: 'NodePort', selector: { app: 'web' }, ports }))
      await expectEvent('Service', 'held', /FailedToListen: .*31750/)
      const clusterIP = await world.clusterIP('held')
      for (const url of [`http://127.0.0.1:31751/`, `http://${clusterIP}:8080/`, `http://${clusterIP}:8081/`])
        expect((await world.get(url)).pod).toMatch(/^web-/)
      holder.close()
      await expect.poll(async () => (await world.get('http://127.0.0.1:31750/')).pod, { timeout: 45_000 }).toMatch(/^web-/)
    })
  })

  describe('a Service of 10,000 ports', () => {
    it('is served at its last one, and others meanwhile', async () => {
      const ports = Array.from({ length: 10_000 }, (_, i) => ({ name: `p${i}`, port: i + 20_000, targetPort: 8080 }))
      await world.kubectl.ok(['create', '-f', '-'], JSON.stringify(service('many', { selector: { app: 'web' }, ports })))
      expect((await world.ingress('good.example', '/')).pod).toMatch(/^web-/)
      const url = `http://${await world.clusterIP('many')}:29999/`
      await expect.poll(async () => (await world.get(url)).pod, { timeout: 40_000 }).toMatch(/^web-/)
      await world.kubectl.ok(['delete', 'service', 'many'])
      await expect.poll(async () => (await world.get(url)).code, SOON).toBe(0)
    })
  })

  describe('Services that lead to themselves', () => {
    it.each([
      ['its own ClusterIP', 'loop-self', 31_760, async () => [await world.clusterIP('loop-self'), 8080]],
      ['its own node port', 'loop-node', 31_761, async () => ['127.0.0.1', 31_761]],
      ['the ClusterIP of the one before', 'loop-other', 31_762, async () => [await world.clusterIP('loop-self'), 8080]],
    ] as const)('an endpoint that is %s is not forwarded to in a circle', async (_what, name, nodePort, target) => {
      await world.apply(service(name, { selector: undefined, type: 'NodePort', ports: [{ name: 'http', port: 8080, nodePort }] }))
      const [address, port] = await target()
      await world.apply({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [address], conditions: { ready: true } }],
        ports: [{ name: 'http', port, protocol: 'TCP' }],
      })
      const before = await cpuTicks()
      for (const url of [`http://${await world.clusterIP(name)}:8080/`, `http://127.0.0.1:${nodePort}/`])
        for (let i = 0; i < 5; i++) expect((await world.get(url, '-m', '3')).code).toBe(0)
      // In ticks of 10 ms: a circle would burn all of the time, or run out of sockets.
      expect((await cpuTicks()) - before).toBeLessThan(300)
    })

    it('a Service that selects no pod but names itself refuses connections', async () => {
      await world.apply(service('narcissus', { selector: { app: 'narcissus' } }))
      expect((await world.get(`http://${await world.clusterIP('narcissus')}:8080/`, '-m', '3')).code).toBe(0)
    })
  })

  describe('Ingresses that name what is missing', () => {
    it.each([
      ['Service', 'no-service', path('/', 'nowhere'), /nowhere/],
      ['port', 'no-port', { ...path('/', 'web'), backend: { service: { name: 'web', port: { number: 9999 } } } }, /9999/],
    ])('a missing %s is 503 for its host and an Event that names it', async (_what, name, at, text) => {
      await world.apply(ingress(name, `${name}.example`, [at]))
      await expectEvent('Ingress', name, text)
      expect((await world.ingress(`${name}.example`, '/')).code).toBe(503)
    })

    it('heals when the Service appears', async () => {
      await world.apply(service('nowhere', { selector: { app: 'web' } }))
      await expect.poll(async () => (await world.ingress('no-service.example', '/')).pod, SOON).toMatch(/^web-/)
    })

    it('a missing, then broken, then good TLS Secret: default certificate and Events, then its own', async () => {
      const tls = [{ hosts: ['tls.example'], secretName: 'tls-secret' }]
      await world.apply(ingress('tls', 'tls.example', [path('/', 'web')], { tls }))
      await expectEvent('Ingress', 'tls', /tls-secret/)
      const { port } = new URL(world.instance.status.ingress.https)
      const secure = (...args: readonly string[]) =>
        world.get(`https://tls.example:${port}/`, '--resolve', `tls.example:${port}:127.0.0.1`, ...args)
      expect((await secure('--insecure')).pod).toMatch(/^web-/)
      const bad = Buffer.from('hunter2').toString('base64')
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls-secret' }, type: 'kubernetes.io/tls' }
      await world.apply({ ...secret, data: { 'tls.crt': bad, 'tls.key': bad } })
      await expectEvent('Ingress', 'tls', /CertificateInvalid: .*tls-secret/)
      expect(await events('Ingress', 'tls')).not.toContain('hunter2')
      expect((await secure('--insecure')).pod).toMatch(/^web-/)
      const folder = await mkdtemp(join(tmpdir(), 'fairway-tls-'))
      const subject = ['-subj', '/CN=tls.example', '-addext', 'subjectAltName=DNS:tls.example']
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      await command('openssl', ['req', '-x509', ...key, ...subject, '-keyout', `${folder}/key`, '-out', `${folder}/crt`])
      const data = { 'tls.crt': await readFile(`${folder}/crt`, 'base64'), 'tls.key': await readFile(`${folder}/key`, 'base64') }
      await world.apply({ ...secret, data })
      await expect.poll(async () => (await secure('--cacert', `${folder}/crt`)).pod, SOON).toMatch(/^web-/)
      await rm(folder, { recursive: true })
    })

    it('of two with the same host and path the older one has it, and the younger is told', async () => {
      await world.apply(service('empty', { selector: { app: 'nobody' } }))
      // Creation times are whole seconds; within one the name decides.
      await world.apply(ingress('twin-a', 'twin.example', [path('/', 'web')]))
      await expect.poll(async () => (await world.ingress('twin.example', '/')).pod, SOON).toMatch(/^web-/)
      await world.apply(ingress('twin-b', 'twin.example', [path('/', 'empty')]))
      await expectEvent('Ingress', 'twin-b', /RouteConflict: .*twin-a/)
      expect((await world.ingress('twin.example', '/')).pod).toMatch(/^web-/)
      await world.kubectl.ok(['delete', 'ingress', 'twin-a'])
      await expect.poll(async () => (await world.ingress('twin.example', '/')).code, SOON).toBe(503)
    })
  })

  describe('pods that cannot run', () => {
    it('an unknown image leaves the pod Pending, with an Event that names it', async () => {
      await world.apply(pod('strange', { container: { image: 'example.com/unknown:1' } }))
      await expectEvent('Pod', 'strange', /example\.com\/unknown:1/)
      expect(await world.jsonpath('{.status.phase}', 'pod', 'strange')).toBe('Pending')
    })
  })
})
