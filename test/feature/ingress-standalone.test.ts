import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { certificateFor } from '../../src/l7/testing/certificates.ts'
import { type ApiFront, startApiFront } from '../support/api-front.ts'
import { classOf, ingressOf, type RunningIngress, serviceOf, startIngress, startPod, type TestPod } from '../support/ingress.ts'
import { command, type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { curl, freePort, SOON, undo, undoAll } from '../support/proxy.ts'

const CLASS = 'standalone'
const ADDRESS = '192.0.2.80'

describe('fairway ingress, beside an API server of another process', () => {
  let dataDir: string
  let instance: Instance
  let apiPort: number
  let front: ApiFront
  let pods: readonly TestPod[]
  let ingress: RunningIngress
  let http: number
  let https: number
  let health: string
  let metrics: string
  const streams = { tcp: 0, taken: 0, udp: 0 }

  const up = async (): Promise<void> => {
    instance = await startInstance({ asUser: true, dataDir, slot: 70, args: ['--api-port', String(apiPort)] })
  }
  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(dataDir, 'test.json')
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.flat() }))
    const { code, stderr } = await instance.fairway('apply', '-f', file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const secretOf = async (name: string, host: string): Promise<object> => {
    const { chain, key } = await certificateFor(host)
    const encode = (text: string): string => Buffer.from(text).toString('base64')
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': encode(chain), 'tls.key': encode(key) },
    }
  }
  const portsOf = (name: string, data: Readonly<Record<string, string>>): object => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data,
  })
  const ask = async (host: string, path = '/'): Promise<string> => {
    const { stdout } = await command('curl', ['-sS', '-m', '5', '-H', `host: ${host}`, `http://127.0.0.1:${http}${path}`])
    return stdout
  }
  const subject = async (host: string): Promise<string> => {
    const { stdout, stderr } = await command('curl', [
      '-skv',
      '-m',
      '5',
      '--connect-to',
      `${host}:443:127.0.0.1:${https}`,
      `https://${host}/`,
    ])
    const [, name = ''] = /subject: CN=(\S+)/.exec(stderr + stdout) ?? []
    return `${stdout} ${name}`
  }
  const eventsOf = async (): Promise<string> => (await instance.fairway('get', 'events', '-o', 'yaml')).stdout
  const addressesOf = async (name: string): Promise<unknown> => {
    const { stdout } = await instance.fairway('get', 'ingress', name, '-o', 'json')
    return JSON.parse(stdout).status?.loadBalancer?.ingress
  }

  beforeAll(async () => {
    apiPort = await freePort()
    dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    await up()
    undo.push(() => instance.stop())
    front = await startApiFront(join(dataDir, 'front.json'), () => instance.status.kubeconfig)
    undo.push(() => front.close())
    pods = [await startPod('one', '127.245.70.1'), await startPod('two', '127.245.70.2')]
    for (const name of ['tcp', 'taken', 'udp'] as const) streams[name] = await freePort()
    const [one, two] = pods
    if (one === undefined || two === undefined) throw new Error('no pods')
    await apply(
      classOf(CLASS),
      classOf('foreign', 'example.com/other'),
      ...serviceOf('web', one),
      ...serviceOf('other', two),
      await secretOf('cert', 'tls.example'),
      await secretOf('closed', 'closed.example'),
      await secretOf('unrelated', 'unrelated.example'),
      ingressOf('plain', { className: CLASS }),
      ingressOf('tls', { className: CLASS, secret: 'cert' }),
      ingressOf('closed', { className: CLASS, secret: 'closed' }),
      ingressOf('foreign', { className: 'foreign', secret: 'unrelated' }),
      portsOf('tcp-services', { [streams.tcp]: 'default/web:http', [one.port]: 'default/web:80', nonsense: 'x' }),
      portsOf('udp-services', {}),
    )
    front.forbids = (_method, url) => {
      if (!url.pathname.includes('/secrets')) return false
      const named = url.searchParams.get('fieldSelector')
      return named === null || named === 'metadata.name=closed'
    }
    health = `127.0.0.1:${await freePort()}`
    metrics = `127.0.0.1:${await freePort()}`
    ingress = startIngress([
      ...['--kubeconfig', front.kubeconfig, '--ingress-class', CLASS, '--controller-name', 'example.com/standalone'],
      ...['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--workers', '1', '--publish-status-address', ADDRESS],
      ...['--health', health, '--metrics', metrics, '--drain-timeout', '10s'],
      ...['--tcp-services-configmap', 'default/tcp-services', '--udp-services-configmap', 'default/udp-services'],
    ])
    ;({ http, https } = await ingress.ready())
  })
  afterAll(undoAll)

  it('serves Ingresses of its class over http, and no others', async () => {
    expect(await ask('plain.example')).toBe('one')
    expect(await ask('foreign.example')).toContain('no-route')
  })

  it('serves https with the certificate of the Secret', async () => {
    expect(await subject('tls.example')).toBe('one tls.example')
  })

  it('reads no Secret that no Ingress of its class refers to, each by a watch of its name', async () => {
    const asked = front.requests.filter((line) => line.includes('/secrets')).map((line) => new URL(line.slice(4), 'http://front'))
    const names = asked.map(({ pathname, searchParams }) =>
      [pathname, searchParams.get('watch'), searchParams.get('fieldSelector')].join(' '),
    )
    const watchOf = (name: string): string => `/api/v1/namespaces/default/secrets true metadata.name=${name}`
    expect([...new Set(names)].sort()).toEqual([watchOf('cert'), watchOf('closed')])
  })

  it('a Secret that may not be read harms only its host, with an Event', async () => {
    expect(await ask('closed.example')).toBe('one')
    expect(await subject('closed.example')).not.toContain('closed.example')
    await expect.poll(eventsOf, SOON).toContain('SecretForbidden')
  })

  it('follows endpoints, Secrets that are newly referred to, and rotation', async () => {
    await apply(await secretOf('late', 'late.example'), ingressOf('late', { className: CLASS, to: 'other', secret: 'late' }))
    await expect.poll(() => subject('late.example'), SOON).toBe('two late.example')
    await apply(await secretOf('late', 'rotated.example'))
    await expect.poll(() => subject('late.example'), SOON).toBe('two rotated.example')
    await instance.fairway('delete', 'ingress', 'late')
    await expect.poll(() => ask('late.example'), SOON).toContain('no-route')
  })

  it('writes its address into the status of its Ingresses, and of no others', async () => {
    await expect.poll(() => addressesOf('plain'), SOON).toEqual([{ ip: ADDRESS }])
    expect(await addressesOf('foreign')).toBeUndefined()
    await apply(ingressOf('plain', { className: 'foreign' }))
    await expect.poll(() => addressesOf('plain'), SOON).toBeUndefined()
    await apply(ingressOf('plain', { className: CLASS }))
    await expect.poll(() => addressesOf('plain'), SOON).toEqual([{ ip: ADDRESS }])
  })

  it('tells that it is ready, what it counts, and why', async () => {
    expect(await curl(`http://${health}/healthz`)).toEqual({ code: 200, text: 'ok\n' })
    expect(await curl(`http://${health}/readyz`)).toEqual({ code: 200, text: 'ok\n' })
    const { text } = await curl(`http://${metrics}/metrics`)
    for (const name of [
      'fairway_ingress_leader 1',
      'fairway_ingress_ready 1',
      'fairway_ingress_connections_total',
      'process_cpu_seconds_total',
    ])
      expect(text).toContain(name)
    const explained = await instance.fairway('explain', 'http://plain.example/', '--proxy', `http://${metrics}`)
    expect(explained.stdout).toMatch(/service +default\/web\n/)
  })

  describe('TCP and UDP services', () => {
    const overTcp = (): Promise<{ readonly code: number; readonly text: string }> => curl(`http://127.0.0.1:${streams.tcp}/`)

    it('are forwarded, and tell what is wrong with the others on the ConfigMap', async () => {
      expect(await overTcp()).toEqual({ code: 200, text: 'one' })
      await expect.poll(eventsOf, SOON).toContain('StreamInvalid')
    })

    it('follow the ConfigMap without cutting the connections of other ports', async () => {
      const slow = command('curl', ['-sS', '-m', '20', `http://127.0.0.1:${streams.tcp}/slow`])
      await vi.waitUntil(() => pods[0]?.waiting === 1, SOON)
      await apply(portsOf('tcp-services', { [streams.tcp]: 'default/other:80', [streams.taken]: 'default/web:http' }))
      await expect.poll(async () => (await overTcp()).text, SOON).toBe('two')
      expect((await curl(`http://127.0.0.1:${streams.taken}/`)).text).toBe('one')
      pods[0]?.release()
      expect((await slow).stdout).toBe('one slow')
    })

    it('of UDP too', async () => {
      const dns = createSocket('udp4', (bytes, from) => dns.send(`answer to ${bytes}`, from.port, from.address))
      await new Promise<void>((resolve) => dns.bind(0, '127.245.70.1', resolve))
      undo.push(async () => dns.close())
      const [service, slice] = serviceOf('dns', { address: '127.245.70.1', port: dns.address().port })
      const ports = { ports: [{ name: 'http', port: 80, protocol: 'UDP' }] }
      await apply(
        { ...service, spec: ports },
        { ...slice, ports: [{ name: 'http', port: dns.address().port, protocol: 'UDP' }] },
        portsOf('udp-services', { [streams.udp]: 'default/dns:80' }),
      )
      const client = createSocket('udp4')
      undo.push(async () => client.close())
      const asking = setInterval(() => client.send('question', streams.udp, '127.0.0.1'), 50)
      const [answer] = await once(client, 'message').finally(() => clearInterval(asking))
      expect(String(answer)).toBe('answer to question')
    })
  })

  it('goes on while the API server is away, and catches up when it is back', async () => {
    await instance.kill()
    for (let i = 0; i < 10; i++) expect(await ask('plain.example')).toBe('one')
    expect(await subject('tls.example')).toBe('one tls.example')
    expect((await curl(`http://${health}/readyz`)).code).toBe(200)
    await up()
    const [, two] = pods
    if (two !== undefined) await apply(...serviceOf('web', two))
    await expect.poll(() => ask('plain.example'), { timeout: 40_000, interval: 100 }).toBe('two')
  })

  it('ends with exit code 0, and takes its address and the lease back', async () => {
    await expect.poll(() => addressesOf('plain'), { timeout: 40_000, interval: 200 }).toEqual([{ ip: ADDRESS }])
    await expect
      .poll(async () => (await curl(`http://${metrics}/metrics`)).text, { timeout: 40_000, interval: 200 })
      .toContain('fairway_ingress_leader 1')
    expect(await ingress.stop()).toBe(0)
    expect(await addressesOf('plain')).toBeUndefined()
    const { stdout } = await instance.fairway('get', 'lease', 'fairway-ingress-leader', '-o', 'json')
    expect(JSON.parse(stdout).spec.holderIdentity).toBeUndefined()
    expect(ingress.output()).not.toMatch(/"level":"error"|level":50/)
  })
})
