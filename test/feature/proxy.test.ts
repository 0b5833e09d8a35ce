import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { curl, freePort, manifests, type RunningProxy, runProxy, SOON, startProxy, undo, undoAll } from '../support/proxy.ts'

describe('fairway proxy as an ordinary user, beside an API server of another process', () => {
  const NODE = '127.0.0.5'
  const NODE_PORT = 30_601
  const PODS = ['127.245.60.1', '127.245.60.2']
  const POD_PORT = 18_601
  let instance: Instance
  let dataDir: string
  let apiPort: number
  let proxy: RunningProxy
  let health: string
  let metrics: string

  const up = async (): Promise<void> => {
    instance = await startInstance({ asUser: true, dataDir, slot: 60, args: ['--api-port', String(apiPort)] })
  }
  const endpoints = async (...addresses: readonly string[]): Promise<void> => {
    const file = join(dataDir, 'web.json')
    await writeFile(file, manifests(NODE_PORT, POD_PORT, addresses))
    const { code, stderr } = await instance.fairway('apply', '-f', file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const reached = async (): Promise<string> => (await curl(`http://${NODE}:${NODE_PORT}/`)).text
  const proxyArgs = (): readonly string[] => [
    ...['--kubeconfig', instance.status.kubeconfig, '--hostname-override', 'Fairway'],
    ...['--nodeport-addresses', NODE, '--healthz-bind-address', health, '--metrics-bind-address', metrics],
  ]

  beforeAll(async () => {
    for (const address of PODS) {
      const server = createHttpServer((_request, response) => response.end(address)).listen(POD_PORT, address)
      await once(server, 'listening')
      undo.push(async () => {
        server.closeAllConnections()
        server.close()
      })
    }
    apiPort = await freePort()
    health = `127.0.0.1:${await freePort()}`
    metrics = `127.0.0.1:${await freePort()}`
    dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    await up()
    undo.push(() => instance.stop())
    await endpoints(PODS[0] ?? '')
    proxy = startProxy(proxyArgs())
    await proxy.ready()
  })
  beforeEach(async () => {
    await endpoints(PODS[0] ?? '')
    await vi.waitUntil(async () => (await reached()) === PODS[0], SOON)
  })
  afterAll(undoAll)

  it('takes the best mode that works, says why, and carries Services', async () => {
    expect(await proxy.ready()).toMatch(
      /^ready\. node fairway, mode userspace \(userspace: sockets of this process; nftables: .*no permission/,
    )
    expect(await reached()).toBe(PODS[0])
  })

  it('follows endpoints', async () => {
    await endpoints(PODS[1] ?? '')
    await expect.poll(reached, SOON).toBe(PODS[1])
  })

  it('tells health, mode and metrics', async () => {
    const healthz = await curl(`http://${health}/healthz`)
    expect(healthz.code).toBe(200)
    expect(Object.keys(JSON.parse(healthz.text))).toEqual(['lastUpdated', 'currentTime', 'nodeEligible'])
    expect((await curl(`http://${health}/livez`)).code).toBe(200)
    expect(await curl(`http://${metrics}/proxyMode`)).toEqual({ code: 200, text: 'userspace' })
    const { text } = await curl(`http://${metrics}/metrics`)
    for (const name of [
      'kubeproxy_sync_proxy_rules_duration_seconds_count',
      'kubeproxy_proxy_healthz_total{code="200"}',
      'process_cpu_seconds_total',
    ])
      expect(text).toContain(name)
  })

  it('explains a connection, and what it meets', async () => {
    const { code, stdout } = await instance.fairway(
      'explain',
      `${NODE}:${NODE_PORT}`,
      '--proxy',
      `http://${metrics}`,
      '--from',
      'outside',
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/service +default\/web\n/)
    expect(stdout).toContain(`LISTEN TCP ${NODE}:${NODE_PORT}`)
    const json = await instance.fairway('explain', `${NODE}:${NODE_PORT}`, '--proxy', `http://${metrics}`, '-o', 'json')
    expect(JSON.parse(json.stdout)).toMatchObject({ mode: 'userspace', verdict: { kind: 'dnat' } })
  })

  it('tells of ports that are taken, as Events of the Service', async () => {
    // The instance itself listens at the ClusterIP.
    await expect
      .poll(async () => (await instance.fairway('get', 'events', '-o', 'yaml')).stdout, SOON)
      .toMatch(/another process listens there/)
  })

  it('goes on while the API server is away, and catches up when it is back', async () => {
    await instance.kill()
    for (let i = 0; i < 20; i++) expect(await reached()).toBe(PODS[0])
    expect((await curl(`http://${health}/healthz`)).code).toBe(200)
    await up()
    await endpoints(PODS[1] ?? '')
    await expect.poll(reached, { timeout: 40_000 }).toBe(PODS[1])
  })

  it('tells that this node is about to be deleted: 503 for load balancers, alive for who restarts it', async () => {
    const taint = async (...taints: readonly object[]): Promise<void> => {
      const file = join(dataDir, 'node.json')
      await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'fairway' }, spec: { taints } }))
      expect((await instance.fairway('apply', '-f', file)).code).toBe(0)
    }
    const healthz = async (): Promise<number> => (await curl(`http://${health}/healthz`)).code
    await taint({ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' })
    await expect.poll(healthz, SOON).toBe(503)
    expect((await curl(`http://${health}/livez`)).code).toBe(200)
    await taint()
    await expect.poll(healthz, SOON).toBe(200)
  })

  it('says in one line that an address is taken, where it was told to', async () => {
    const output = await runProxy([...proxyArgs(), '--bind-address-hard-fail'])
    expect(output.code).toBe(1)
    expect(output.stderr).toMatch(/^fairway: --healthz-bind-address .* cannot be had: .*EADDRINUSE.*; choose another address$/m)
  })

  it('ends with 0 at SIGTERM, and gives its ports back', async () => {
    const node = '127.0.0.6'
    const own = `127.0.0.1:${await freePort()}`
    const args = ['--nodeport-addresses', node, '--healthz-bind-address', own, '--metrics-bind-address', '']
    const second = startProxy([...proxyArgs(), ...args])
    await second.ready()
    expect((await curl(`http://${node}:${NODE_PORT}/`)).text).toBe(PODS[0])
    expect(await second.stop('SIGTERM')).toBe(0)
    expect((await curl(`http://${own}/livez`)).code).toBe(0)
    expect((await curl(`http://${node}:${NODE_PORT}/`)).code).toBe(0)
  })
})
