import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadLibc } from '../../src/host/native/index.ts'
import { createBpf } from '../../src/kernel/bpf/index.ts'
import { openTestCgroup, type TestCgroup } from '../../src/kernel/bpf/testing/test-cgroup.ts'
import { ebpfLeftovers } from '../../src/proxy/backends/ebpf/index.ts'
import { command, type Instance, isRoot, newDataDir, type Output, startInstance } from '../support/instance.ts'

const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
const NOBODY = '65534'
const asNobody = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []

/** Could not connect, curl(1). */
const CURL_REFUSED = 7
const SOON = { timeout: 20_000, interval: 50 }

const undo: (() => Promise<unknown>)[] = []
const undoAll = async (): Promise<void> => {
  for (const step of undo.splice(0).reverse()) await step()
}

/** A `fairway proxy` in the foreground. */
interface RunningProxy {
  readonly process: ChildProcess
  output(): string
  /** Resolves with the line that says that it carries everything. */
  ready(): Promise<string>
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

const startProxy = (args: readonly string[], prefix: readonly string[] = asNobody): RunningProxy => {
  const [file = '', ...rest] = [...prefix, process.execPath, FAIRWAY, 'proxy', ...args]
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const exited = once(child, 'exit')
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal)
    await exited
    return child.exitCode
  }
  undo.push(() => stop())
  const ready = async (): Promise<string> => {
    await vi.waitUntil(() => /^ready\. .*$/m.test(text) || child.exitCode !== null, { timeout: 30_000 })
    const [line] = /^ready\. .*$/m.exec(text) ?? []
    if (line === undefined) throw new Error(`the proxy did not become ready:\n${text}`)
    return line
  }
  return { process: child, output: () => text, ready, stop }
}

/** Runs `fairway proxy` to its end. */
const runProxy = (args: readonly string[], prefix: readonly string[] = asNobody): Promise<Output> => {
  const [file = '', ...rest] = [...prefix, process.execPath, FAIRWAY, 'proxy', ...args]
  // Not the kubeconfig of whoever runs the tests.
  return command(file, rest, { env: { PATH: process.env['PATH'], HOME: '/nonexistent' } })
}

const curl = async (url: string, prefix: readonly string[] = []): Promise<{ readonly code: number; readonly text: string }> => {
  const [file = '', ...rest] = [...prefix, 'curl', '-sS', '-m', '5', '-w', '\n%{http_code}', url]
  const { stdout } = await command(file, rest)
  const cut = stdout.lastIndexOf('\n')
  return { code: Number(stdout.slice(cut + 1)), text: stdout.slice(0, cut) }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A Service whose endpoints are told by hand. */
const manifests = (nodePort: number, port: number, addresses: readonly string[]): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { type: 'NodePort', ports: [{ name: 'http', port: 8080, targetPort: port, nodePort }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        ports: [{ name: 'http', port, protocol: 'TCP' }],
        endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      },
    ],
  })

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

describe('fairway proxy, what goes wrong', () => {
  let folder: string
  beforeAll(async () => {
    folder = await newDataDir(false)
    await chmod(folder, 0o755)
    const kubeconfig = (server: string): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server } }],
        users: [{ name: 'u', user: {} }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      })
    await writeFile(join(folder, 'nobody'), kubeconfig(`https://127.0.0.1:${await freePort()}`))
    const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
    await writeFile(join(folder, 'wrong.yaml'), `${head}mode: magic\nconntrack: {min: many}\n`)
    await writeFile(
      join(folder, 'odd.yaml'),
      `${head}colour: red\nconfigSyncPeriod: 15m\nclientConnection: {kubeconfig: ${folder}/none}\n`,
    )
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const one = (code: number, text: RegExp) => ({ code, lines: [expect.stringMatching(text)] })
  it.each([
    ['no kubeconfig', [], one(1, /^fairway: no API server: name a kubeconfig with --kubeconfig/)],
    [
      'a kubeconfig that is not there',
      ['--kubeconfig', '/nonexistent'],
      one(1, /^fairway: the kubeconfig \/nonexistent can't be read/),
    ],
    [
      'an API server that is not there',
      ['--kubeconfig', 'DIR/nobody'],
      one(1, /^fairway: no answer from the API server .*ECONNREFUSED.*; check that it runs/),
    ],
    ['a master that is no URL', ['--master', 'nowhere'], one(2, /^fairway: --master: "nowhere" is not a URL/)],
    [
      'an unknown mode',
      ['--proxy-mode', 'magic'],
      one(2, /^fairway: --proxy-mode must be one of auto, nftables, .*, is "magic"$/),
    ],
    [
      'several wrong flags at once',
      ['--cluster-cidr', '10.0.0.0/33', '--masquerade-all=maybe', '--healthz-bind-address', 'all'],
      one(
        2,
        /^fairway: --masquerade-all must be true or false, is "maybe"; --cluster-cidr "10.0.0.0\/33" is not a CIDR.*; --healthz-bind-address must be/,
      ),
    ],
    ['a name that the kernel does not take', ['--table-name', 'A B'], one(2, /^fairway: --table-name: "A B"/)],
    [
      'a configuration that is not there',
      ['--config', '/nonexistent'],
      one(1, /^fairway: --config: \/nonexistent can't be read/),
    ],
    [
      'a wrong configuration',
      ['--config', 'DIR/wrong.yaml'],
      one(2, /^fairway: .*wrong.yaml: conntrack.min must be a whole number, is "many"; .*wrong.yaml: mode must be one of/),
    ],
    [
      'fields that change nothing',
      ['--config', 'DIR/odd.yaml'],
      {
        code: 1,
        lines: [
          expect.stringMatching(/^warning: .*odd.yaml: colour is unknown and has no effect$/),
          expect.stringMatching(/^warning: .*odd.yaml: configSyncPeriod has no effect: /),
          expect.stringMatching(/^fairway: the kubeconfig .*none can't be read/),
        ],
      },
    ],
    ['an unknown flag', ['--magic'], { code: 2, lines: ["error: unknown option '--magic'", '(add --help for the options)'] }],
  ])('%s', async (_title, args, expected) => {
    const output = await runProxy(args.map((arg) => arg.replace('DIR', folder)))
    expect({ code: output.code, lines: output.stderr.trim().split('\n') }).toEqual(expected)
    expect(output.stdout).toBe('')
  })
})

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
