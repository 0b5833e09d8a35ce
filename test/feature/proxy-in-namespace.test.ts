import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { loadLibc } from '../../src/host/native/index.ts'
import { createBpf } from '../../src/kernel/bpf/index.ts'
import { openTestCgroup, type TestCgroup } from '../../src/kernel/bpf/testing/test-cgroup.ts'
import { ebpfLeftovers } from '../../src/proxy/backends/ebpf/index.ts'
import { command, type Instance, isRoot, newDataDir, startInstance } from '../support/instance.ts'
import { CURL_REFUSED, curl, manifests, type RunningProxy, runProxy, SOON, startProxy, undo, undoAll } from '../support/proxy.ts'

/** Web servers and a way to the API server, inside of a network namespace: node -e AGENT SOCKET APIPORT PODPORT ADDRESS... */
const AGENT = `
const [socket, api, port, ...addresses] = process.argv.slice(1)
const { createServer, connect } = require('node:net')
createServer((near) => {
  const far = connect(socket)
  near.pipe(far).pipe(near)
  for (const [a, b] of [[near, far], [far, near]]) a.on('error', () => {}).on('close', () => b.destroy())
}).listen(Number(api), '127.0.0.1', () => {
  for (const address of addresses) require('node:http').createServer((_, response) => response.end(address)).listen(Number(port), address)
  console.log('listening')
})`

// Only root makes network namespaces.
describe.skipIf(!isRoot)('fairway proxy in a network namespace of its own', () => {
  const NAMESPACE = `fwproxy-${process.pid}`
  const inside = ['ip', 'netns', 'exec', NAMESPACE]
  const NODE = '192.0.2.61'
  const PODS = ['10.245.61.1', '10.245.61.2']
  const POD_PORT = 18_611
  const NODE_PORT = 30_611
  let instance: Instance
  let folder: string
  let clusterIP: string
  let cgroup: TestCgroup
  let args: readonly string[]

  const ip = async (...rest: readonly string[]): Promise<void> => {
    const { code, stderr } = await command('ip', rest)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const endpoints = async (...addresses: readonly string[]): Promise<void> => {
    const file = join(folder, 'web.json')
    await writeFile(file, manifests(NODE_PORT, POD_PORT, addresses))
    expect(await instance.fairway('apply', '-f', file)).toMatchObject({ code: 0 })
  }
  const reached = async (address = clusterIP, port = 8080): Promise<string> =>
    (
      await curl(`http://${address}:${port}/`, [
        'sh',
        '-c',
        `echo $$ > ${cgroup.folder}/cgroup.procs; exec "$@"`,
        'sh',
        ...inside,
      ])
    ).text
  /** Ours: `iptables` makes some for itself that stay. */
  const tables = async (): Promise<readonly string[]> =>
    (await command('ip', [...inside.slice(1), 'nft', 'list', 'tables'])).stdout
      .split('\n')
      .filter((table) => table.endsWith(' fairway'))
      .sort()
  /** Programs of ours on the cgroup, as `--cleanup` would name them. */
  const programs = async (): Promise<number> => {
    const libc = await loadLibc()
    if ('missing' in libc) throw new Error(libc.missing)
    return (await ebpfLeftovers({ bpf: createBpf({ libc }), cgroup: cgroup.folder })).length
  }
  const start = (mode: string): RunningProxy => startProxy([...args, '--proxy-mode', mode], inside)

  beforeAll(async () => {
    instance = await startInstance({ slot: 61 })
    undo.push(() => instance.stop())
    folder = await newDataDir(false)
    undo.push(() => rm(folder, { recursive: true, force: true }))
    cgroup = await openTestCgroup()
    undo.push(() => cgroup.close())
    await ip('netns', 'add', NAMESPACE)
    undo.push(() => ip('netns', 'del', NAMESPACE))
    await ip('-n', NAMESPACE, 'link', 'set', 'lo', 'up')
    await ip('-n', NAMESPACE, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1')
    await ip('-n', NAMESPACE, 'addr', 'add', `${NODE}/24`, 'dev', 'eth0')
    for (const pod of PODS) await ip('-n', NAMESPACE, 'addr', 'add', `${pod}/32`, 'dev', 'eth0')
    for (const link of ['eth0', 'eth1']) await ip('-n', NAMESPACE, 'link', 'set', link, 'up')
    await ip('-n', NAMESPACE, 'route', 'add', 'default', 'dev', 'eth0')
    await relay()
    await endpoints(PODS[0] ?? '')
    clusterIP = (await instance.fairway('get', 'svc', 'web', '-o', 'json')).stdout.match(/"clusterIP": "([^"]+)"/)?.[1] ?? ''
    args = [
      ...['--kubeconfig', instance.status.kubeconfig, '--hostname-override', 'n1', '--nodeport-addresses', `${NODE}/32`],
      ...['--cluster-cidr', '10.245.61.0/24', '--ebpf-cgroup', cgroup.folder],
    ]
  })
  beforeEach(() => endpoints(PODS[0] ?? ''))
  afterAll(undoAll)

  /** The API server listens on loopback out here: a socket in the file system leads in. */
  const relay = async (): Promise<void> => {
    const port = Number(new URL(instance.status.api).port)
    const socket = join(folder, 'api.sock')
    const { connect } = await import('node:net')
    const server = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      near.pipe(far).pipe(near)
      near.on('error', () => {}).on('close', () => far.destroy())
      far.on('error', () => {}).on('close', () => near.destroy())
    }).listen(socket)
    await once(server, 'listening')
    undo.push(async () => server.close())
    const [file = '', ...rest] = [...inside, process.execPath, '-e', AGENT, socket, String(port), String(POD_PORT), ...PODS]
    const agent = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
    undo.push(async () => {
      const exited = once(agent, 'exit')
      agent.kill('SIGKILL')
      await exited
    })
    await once(agent.stdout, 'data')
  }

  it('carries Services with nftables, and leaves the rules when it ends', async () => {
    const proxy = start('nftables')
    expect(await proxy.ready()).toMatch(/^ready\. node n1, mode nftables \(nftables: /)
    expect(await reached()).toBe(PODS[0])
    expect(await reached(NODE, NODE_PORT)).toBe(PODS[0])
    await endpoints(PODS[1] ?? '')
    await expect.poll(() => reached(), SOON).toBe(PODS[1])
    expect(await curl('http://127.0.0.1:10249/proxyMode', inside)).toEqual({ code: 200, text: 'nftables' })
    expect((await curl('http://127.0.0.1:10256/healthz', inside)).code).toBe(200)
    expect(await proxy.stop()).toBe(0)
    expect(await reached()).toBe(PODS[1])
    expect(await tables()).toEqual(['table ip fairway', 'table ip6 fairway'])
  })

  it('adopts its rules, puts right what another flushed, and tells', async () => {
    const proxy = start('nftables')
    await proxy.ready()
    expect(await reached()).toBe(PODS[0])
    await command('ip', [...inside.slice(1), 'nft', 'flush', 'ruleset'])
    await expect.poll(() => reached(), SOON).toBe(PODS[0])
    await expect
      .poll(async () => (await curl('http://127.0.0.1:10249/metrics', inside)).text, SOON)
      .toMatch(/fairway_proxy_drift_total\{kind="missing"\} [1-9]/)
    await expect.poll(async () => (await instance.fairway('get', 'events', '-A')).stdout, SOON).toContain('ProxyDrift')
    expect(await proxy.stop()).toBe(0)
  })

  it('follows the ranges of ClusterIPs, and carries on meanwhile', async () => {
    const proxy = start('nftables')
    await proxy.ready()
    // Nobody has the address: in a range of ClusterIPs it is refused, elsewhere routed into nothing.
    const probe = async (): Promise<number> =>
      (await command('ip', [...inside.slice(1), 'curl', '-sS', '-m', '1', 'http://10.250.61.9/'])).code
    expect(await probe()).not.toBe(CURL_REFUSED)
    const file = join(folder, 'range.json')
    const object = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'more' } }
    await writeFile(file, JSON.stringify({ ...object, spec: { cidrs: ['10.250.61.0/24'] } }))
    expect(await instance.fairway('apply', '-f', file)).toMatchObject({ code: 0 })
    await expect.poll(probe, SOON).toBe(CURL_REFUSED)
    expect(await reached()).toBe(PODS[0])
    expect(await proxy.stop()).toBe(0)
  })

  it('goes from one mode to the next, and leaves nothing of the one before', async () => {
    const chains = async (): Promise<boolean> => /KUBE-/.test((await command('ip', [...inside.slice(1), 'iptables-save'])).stdout)
    const traces: Record<string, unknown> = {}
    for (const mode of ['iptables', 'ebpf', 'iptables', 'nftables']) {
      const proxy = start(mode)
      expect(await proxy.ready()).toContain(`mode ${mode} (${mode}: `)
      expect(await reached(), mode).toBe(PODS[0])
      expect(await reached(NODE, NODE_PORT), mode).toBe(PODS[0])
      const { text } = await curl(`http://127.0.0.1:10249/explain?target=${clusterIP}:8080&from=node`, inside)
      const { explanation } = JSON.parse(text)
      expect(explanation).toMatchObject({ mode, service: { name: 'web' } })
      expect(explanation.trace.length, mode).toBeGreaterThan(1)
      expect(await proxy.stop()).toBe(0)
      expect(await reached(), `${mode}, stopped`).toBe(PODS[0])
      traces[mode] = { chains: await chains(), tables: (await tables()).length, programs: (await programs()) > 0 }
    }
    expect(traces).toEqual({
      iptables: { chains: true, tables: 0, programs: false },
      ebpf: { chains: false, tables: 2, programs: true },
      nftables: { chains: false, tables: 2, programs: false },
    })
  })

  it('lets one at a time have the names of kube-proxy, until it ends', async () => {
    const first = start('iptables')
    await first.ready()
    const holder = `fairway proxy of node n1, pid ${first.process.pid}`
    const refused = await runProxy([...args, '--proxy-mode', 'iptables'], inside)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(
      `fairway: another fairway on this machine (${holder}) uses the chains that --proxy-mode=iptables needs (kube-proxy's names); end it, or choose nftables, ebpf or userspace\n`,
    )
    const cleanup = await runProxy(['--cleanup', '--ebpf-cgroup', cgroup.folder], inside)
    expect(cleanup.code).toBe(1)
    expect(cleanup.stderr).toContain(
      `not removed: rules of iptables and ipvs: another fairway (${holder}) uses them; end it first`,
    )
    const other = start('nftables')
    await other.ready()
    await other.stop()
    await command('ip', [...inside.slice(1), 'nft', 'delete', 'table', 'ip', 'fairway'])
    expect(await reached()).toBe(PODS[0])
    await first.stop('SIGKILL')
    const second = start('iptables')
    await second.ready()
    expect(await reached()).toBe(PODS[0])
    await second.stop()
  })

  it('removes at the start what the mode before left', async () => {
    const before = start('nftables')
    await before.ready()
    await before.stop('SIGKILL')
    expect(await tables()).toEqual(['table ip fairway', 'table ip6 fairway'])
    const proxy = start('userspace')
    await proxy.ready()
    expect(await tables()).toEqual([])
    expect(await reached()).toBe(PODS[0])
    expect(await proxy.stop('SIGINT')).toBe(0)
    expect((await command('ip', ['-n', NAMESPACE, 'route', 'show', 'table', 'local', 'proto', '155'])).stdout).toBe('')
  })

  it('removes every trace when asked to, and says what', async () => {
    const proxy = start('nftables')
    await proxy.ready()
    await proxy.stop('SIGKILL')
    const first = await runProxy(['--cleanup', '--ebpf-cgroup', cgroup.folder], inside)
    expect({ code: first.code, stdout: first.stdout }).toEqual({
      code: 0,
      stdout: 'removed nftables: table ip fairway\nremoved nftables: table ip6 fairway\n',
    })
    expect(await tables()).toEqual([])
    expect((await runProxy(['--cleanup', '--ebpf-cgroup', cgroup.folder], inside)).stdout).toBe('nothing left to remove\n')
  })
})
