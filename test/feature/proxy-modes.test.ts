import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { errorMessage, realClock, silentLogger } from '../../src/base/index.ts'
import { sharesNames } from '../../src/cluster/shared-names.ts'
import { realExec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import { instanceTag } from '../../src/kernel/link/index.ts'
import { type Machine, openMachine } from '../../src/node/network/testing/machine.ts'
import { openBackend, PROXY_MODES, type ProxyMode } from '../../src/proxy/index.ts'
import {
  command,
  type Instance,
  inNamespace,
  instanceArgs,
  isRoot,
  newDataDir,
  type Output,
  startInstance,
} from '../support/instance.ts'
import { machineState } from '../support/machine-state.ts'
import { deployment, echoPod, ingress, path, pod, service } from '../support/world.ts'

/** Every proxy mode under a whole instance, on a machine (network namespace) of its own, with a neighbour on its LAN. */

/** Several whole instances one after another. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const libc = await loadLibc()
/** Why a mode cannot be tried on this machine; undefined when it can. */
const refusal = async (mode: ProxyMode): Promise<string | undefined> => {
  if (!isRoot) return 'root is needed'
  const localAddresses = { ensure: async () => {}, release: async () => {} }
  const deps = { exec: realExec, serviceCIDRs: ['10.0.0.0/24'], localAddresses, clock: realClock, log: silentLogger }
  try {
    const opened = await openBackend(mode, 'missing' in libc ? deps : { ...deps, libc })
    return opened.mode === mode ? undefined : opened.reason
  } catch (error) {
    return errorMessage(error)
  }
}
const MODES = await Promise.all(
  PROXY_MODES.filter((mode) => mode !== 'auto').map(async (mode) => ({ mode, reason: await refusal(mode) })),
)
const available = MODES.filter(({ reason }) => reason === undefined).map(({ mode }) => mode)
/** Those of which several instances can run side by side. */
const kernelModes = available.filter((mode) => mode !== 'userspace')

const SOON = { timeout: 20_000, interval: 50 }
const SLOT = 30
const run = (namespace: string, ...argv: readonly string[]): Promise<Output> => {
  const [file = '', ...args] = inNamespace(namespace, argv)
  return command(file, args)
}
/** What the echo sample says; the code is 0 without an answer. */
const get = async (namespace: string, url: string, ...args: readonly string[]) => {
  const { stdout } = await run(namespace, 'curl', '-sS', '-m', '5', '-w', '\n%{http_code}', ...args, url)
  const cut = stdout.lastIndexOf('\n')
  const code = Number(stdout.slice(cut + 1))
  const body: { readonly pod?: string; readonly client?: string } = code === 200 ? JSON.parse(stdout.slice(0, cut)) : {}
  return { code, pod: body.pod ?? '', client: (body.client ?? '').replace(/:\d+$/, '') }
}
const ASK_UDP = `const s = require('dgram').createSocket('udp4'); s.on('message', (m) => { console.log(String(m)); process.exit() })
  s.send('hello', Number(process.argv[2]), process.argv[1]); setTimeout(() => process.exit(), 1500)`
const askUdp = async (namespace: string, address: string, port: number | string): Promise<string> =>
  (await run(namespace, process.execPath, '-e', ASK_UDP, address, String(port))).stdout.trim()

const apply = async (instance: Instance, namespace: string, objects: readonly object[]): Promise<void> => {
  const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const argv = [process.execPath, 'bin/fairway.js', 'apply', '-f', '-', '--data-dir', instance.dataDir] as const
  const [file, ...args] = inNamespace(namespace, argv)
  await realExec([file ?? '', ...args], { stdin: manifest })
}
const read = async <T>(instance: Instance, ...args: readonly string[]): Promise<T> =>
  JSON.parse((await instance.fairway('get', ...args, '-o', 'json')).stdout) as T
interface Pod {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly status?: {
    readonly podIP?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}
/** Addresses of the pods of an app, once all are ready. */
const readyPods = async (instance: Instance, app: string, count: number): Promise<readonly string[]> => {
  const look = async (): Promise<readonly string[]> => {
    const { items } = await read<{ items: readonly Pod[] }>(instance, 'pods', '-l', `app=${app}`)
    const ready = items.filter(({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    )
    expect(ready).toHaveLength(count)
    return ready.map(({ status }) => status?.podIP ?? '')
  }
  // Also called by hooks, where expect.poll may not be.
  return vi.waitFor(look, { timeout: 60_000, interval: 50 })
}
interface ServiceObject {
  readonly spec: { readonly clusterIP: string; readonly ports: readonly { readonly name?: string; readonly nodePort?: number }[] }
}
const known = new Map<string, ServiceObject>()
const serviceOf = async (instance: Instance, name: string, ...args: readonly string[]): Promise<ServiceObject> => {
  const key = `${instance.dataDir} ${name}`
  const object = known.get(key) ?? (await read<ServiceObject>(instance, 'service', name, ...args))
  known.set(key, object)
  return object
}
const addressOf = async (instance: Instance, name: string): Promise<string> => (await serviceOf(instance, name)).spec.clusterIP
/** The network namespace of a pod: its name ends in the address' place in the /24 range. */
const namespaceOf = (instance: Instance, address: string): string =>
  `${instanceTag(instance.dataDir)}-${Number(address.split('.')[3]).toString(36)}`

const opened: (() => Promise<unknown>)[] = []
const closeAll = async (): Promise<void> => {
  for (const close of opened.splice(0).reverse()) await close()
}
const newMachine = async (options?: Parameters<typeof openMachine>[1]): Promise<Machine> => {
  const machine = await openMachine(`pm${process.pid}`, options)
  opened.push(machine.close)
  return machine
}
const folder = async (): Promise<string> => {
  const dataDir = await newDataDir(false)
  opened.push(() => rm(dataDir, { recursive: true, force: true }))
  return dataDir
}
const start = async (mode: string, options: { dataDir: string; namespace: string; slot?: number }): Promise<Instance> => {
  const instance = await startInstance({ slot: SLOT, ...options, args: ['--proxy-mode', mode] })
  opened.push(instance.stop)
  return instance
}

for (const { mode, reason } of MODES) {
  if (reason !== undefined) describe.skip(`--proxy-mode ${mode} (skipped: ${reason})`, () => it('serves', () => {}))
}

describe.each(available)('--proxy-mode %s serves', (mode) => {
  const isInKernel = mode !== 'userspace'
  let machine: Machine
  let instance: Instance
  let here: string
  let web: readonly string[]
  beforeAll(async () => {
    machine = await newMachine()
    here = machine.name
    instance = await start(mode, { dataDir: await folder(), namespace: here })
    const udp = [{ name: 'udp', port: 9000, protocol: 'UDP', targetPort: 9000 }]
    const container = {
      ports: [
        { name: 'http', containerPort: 8080 },
        { name: 'udp-echo', containerPort: 9000, protocol: 'UDP' },
      ],
    }
    await apply(instance, here, [
      deployment('web', echoPod('web', { container })),
      pod('single'),
      service('single'),
      service('web', { type: 'NodePort', ports: [{ name: 'http', port: 8080, targetPort: 8080 }, ...udp] }),
      service('sticky', { selector: { app: 'web' }, sessionAffinity: 'ClientIP' }),
      service('empty'),
      service('outside', {
        selector: { app: 'single' },
        externalIPs: [machine.address],
        externalTrafficPolicy: 'Local',
        type: 'NodePort',
        ports: [{ port: 18080, targetPort: 8080 }],
      }),
      ingress('web', 'web.example', [path('/', 'web')]),
    ])
    web = await readyPods(instance, 'web', 2)
    await readyPods(instance, 'single', 1)
    await vi.waitFor(async () => expect((await get(here, await url('web'))).code).toBe(200), SOON)
  })
  afterAll(closeAll)

  const url = async (name: string) => `http://${await addressOf(instance, name)}:8080/`
  const nodePortOf = async (name: string, port: string) =>
    (await serviceOf(instance, name)).spec.ports.find((each) => each.name === port)?.nodePort ?? 0
  /** Network namespace of a pod of web. */
  const inPod = (index: number) => namespaceOf(instance, web[index] ?? '')

  it('and says why this mode', () => {
    expect(instance.status).toMatchObject({ proxyMode: mode, proxyModeReason: expect.stringContaining(`${mode}: `) })
    expect(instance.status.notes).toContain(`proxy mode ${instance.status.proxyModeReason}`)
  })

  it('a ClusterIP from the node and from pods, on every pod behind it', async () => {
    for (const from of [here, inPod(0)]) {
      const pods = new Set<string>()
      for (let index = 0; index < 16; index++) pods.add((await get(from, await url('web'))).pod)
      expect(pods.size).toBe(2)
    }
  })

  it(isInKernel ? 'a pod under its own address' : "a pod under the node's address", async () => {
    const { client } = await get(inPod(0), await url('single'))
    expect(client).toBe(isInKernel ? web[0] : instance.status.nodeAddress)
  })

  it('a pod that reaches itself', async () => {
    const [address = ''] = await readyPods(instance, 'single', 1)
    expect((await get(namespaceOf(instance, address), await url('single'))).pod).toBe('single')
  })

  it('a NodePort at the node address and on 127.0.0.1, TCP and UDP', async () => {
    const [tcp, udp] = [await nodePortOf('web', 'http'), await nodePortOf('web', 'udp')]
    for (const address of [instance.status.nodeAddress, '127.0.0.1']) {
      expect((await get(here, `http://${address}:${tcp}/`)).code).toBe(200)
      expect(await askUdp(here, address, udp)).toBe('hello')
    }
    expect((await get(inPod(0), `http://${instance.status.nodeAddress}:${tcp}/`)).code).toBe(200)
  })

  it('UDP at a ClusterIP, from the node and from pods', async () => {
    for (const from of [here, inPod(1)]) expect(await askUdp(from, await addressOf(instance, 'web'), 9000)).toBe('hello')
  })

  it('each client by one pod with session affinity', async () => {
    for (const from of [here, inPod(0), inPod(1)]) {
      const pods = new Set<string>()
      for (let index = 0; index < 8; index++) pods.add((await get(from, await url('sticky'))).pod)
      expect(pods.size).toBe(1)
    }
  })

  it('a refusal where there is no endpoint, or no such port', async () => {
    for (const from of [here, inPod(0)]) {
      expect(await machine.ask(from, await addressOf(instance, 'empty'))).toBe('refused')
      if (isInKernel) expect(await machine.ask(from, await addressOf(instance, 'web'), 81)).toBe('refused')
    }
  })

  it(`a neighbour at an external address${isInKernel ? ', who keeps his own' : ''}`, async () => {
    const answer = await get(machine.internet, `http://${machine.address}:18080/`)
    expect(answer.pod).toBe('single')
    if (isInKernel) expect(answer.client).toBe('198.51.100.9')
  })

  it('DNS, the API server and the Ingress through their addresses', async () => {
    const dns = (await serviceOf(instance, 'kube-dns', '-n', 'kube-system')).spec.clusterIP
    for (const from of [here, inPod(0)]) {
      const { stdout } = await run(from, 'dig', '+short', '+tries=1', `@${dns}`, 'web.default.svc.cluster.local')
      expect(stdout.trim()).toBe(await addressOf(instance, 'web'))
      const api = await run(from, 'curl', '-sSk', '-m', '5', `https://${await addressOf(instance, 'kubernetes')}/version`)
      expect(api.stdout).toContain('gitVersion')
    }
    await expect.poll(async () => (await get(here, instance.status.ingress.http, '-H', 'Host: web.example')).code, SOON).toBe(200)
  })

  it('pods beyond the machine, with its address', async () => {
    expect(await machine.ask(inPod(0), machine.server)).toBe(`${machine.server} ${machine.address}`)
  })

  it('an explanation, from everywhere', async () => {
    const target = `${await addressOf(instance, 'web')}:8080`
    for (const from of ['pod', 'node', 'outside']) {
      const { stdout } = await instance.fairway('explain', target, '--from', from)
      for (const address of web) expect(stdout).toContain(`${address}:8080`)
    }
  })
})

/** A connection that says what it is told and hears what comes back. */
const openConnection = async (namespace: string, address: string, port: number) => {
  const script = `const s = require('net').connect(Number(process.argv[2]), process.argv[1], () => console.log('open'))
    s.on('data', (d) => process.stdout.write(d)); s.on('close', () => process.exit()); process.stdin.on('data', (d) => s.write(d))`
  const [file = '', ...args] = inNamespace(namespace, [process.execPath, '-e', script, address, String(port)])
  const child: ChildProcess = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  opened.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  })
  if (child.stdout === null || child.stdin === null) throw new Error('no pipes')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { stdin } = child
  if ((await lines.next()).value !== 'open') throw new Error('no connection')
  return async (text: string): Promise<unknown> => {
    stdin.write(`${text}\n`)
    const silence = new Promise((resolve) => setTimeout(resolve, 5000, 'silence').unref())
    return Promise.race([lines.next().then(({ value }) => value), silence])
  }
}

describe.each(available)('--proxy-mode %s comes and goes', (mode) => {
  const isInKernel = mode !== 'userspace'
  let machine: Machine
  let before: readonly string[]
  beforeEach(async () => {
    // Without a default route: the instance must bring all that Services need.
    machine = await newMachine({ hasDefaultRoute: false })
    before = await machineState(machine.name)
  })
  afterEach(closeAll)
  const options = async () => ({ dataDir: await folder(), namespace: machine.name })
  const cleanup = (dataDir: string) => run(machine.name, process.execPath, 'bin/fairway.js', 'cleanup', '--data-dir', dataDir)
  /** A Service whose endpoint is a server that is no pod, so that it outlives the instance. */
  const toServer = (address: string) => [
    { ...service('echo'), spec: { ports: [{ port: 7 }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'echo', labels: { 'kubernetes.io/service-name': 'echo' } },
      addressType: 'IPv4',
      ports: [{ port: 7, protocol: 'TCP' }],
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
    },
  ]
  const serveEcho = async () => {
    const script = `require('net').createServer((s) => { s.on('error', () => {}); s.pipe(s) }).listen(7, '198.51.100.9', () => console.log('up'))`
    const [file = '', ...args] = inNamespace(machine.internet, [process.execPath, '-e', script])
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    opened.push(async () => {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    })
    await once(child.stdout, 'data')
  }

  it('leaves nothing when it is stopped', async () => {
    const where = await options()
    const instance = await start(mode, where)
    await apply(instance, machine.name, [pod('single'), service('single', { type: 'NodePort' })])
    await readyPods(instance, 'single', 1)
    expect(await machineState(machine.name, [where.dataDir])).not.toEqual(before)
    expect(await instance.stop()).toBe(0)
    expect(await machineState(machine.name, [where.dataDir])).toEqual(before)
  })

  it('leaves nothing after a kill and cleanup', async () => {
    const where = await options()
    const instance = await start(mode, where)
    await apply(instance, machine.name, [pod('single'), service('single', { type: 'NodePort' })])
    await readyPods(instance, 'single', 1)
    await instance.kill()
    const cleaned = await cleanup(where.dataDir)
    expect([cleaned.code, cleaned.stderr]).toEqual([0, ''])
    expect(cleaned.stdout).toMatch(new RegExp(`^removed ${mode}: `, 'm'))
    expect(await machineState(machine.name, [where.dataDir])).toEqual(before)
    expect((await cleanup(where.dataDir)).stdout).toBe('nothing left to remove\n')
  })

  it.runIf(isInKernel)('keeps an established connection over a kill and the next start', async () => {
    await serveEcho()
    const where = await options()
    const first = await start(mode, where)
    await apply(first, machine.name, toServer('198.51.100.9'))
    const address = await addressOf(first, 'echo')
    await expect
      .poll(async () => (await run(machine.name, 'curl', '-m', '1', `telnet://${address}:7`)).stderr, SOON)
      .not.toMatch(/refused/)
    const say = await openConnection(machine.name, address, 7)
    expect(await say('before')).toBe('before')
    await first.kill()
    expect(await say('without it')).toBe('without it')
    const another = await openConnection(machine.name, address, 7)
    expect(await another('new, without it')).toBe('new, without it')
    const second = await start(mode, where)
    expect(await say('again')).toBe('again')
    expect(await second.stop()).toBe(0)
    expect(await machineState(machine.name, [where.dataDir])).toEqual(before)
  })

  const next = available[(available.indexOf(mode) + 1) % available.length] ?? mode
  it(`leaves nothing when the next start is in mode ${next}`, async () => {
    const other = next
    const where = await options()
    const first = await start(mode, where)
    await apply(first, machine.name, [pod('single'), service('single', { type: 'NodePort' })])
    await readyPods(first, 'single', 1)
    await first.kill()
    const second = await start(other, where)
    expect(second.status.proxyMode).toBe(other)
    await readyPods(second, 'single', 1)
    const url = `http://${await addressOf(second, 'single')}:8080/`
    await expect.poll(async () => (await get(machine.name, url)).pod, SOON).toBe('single')
    expect(await second.stop()).toBe(0)
    expect(await machineState(machine.name, [where.dataDir])).toEqual(before)
  })
})

describe.each(kernelModes.filter((mode) => !sharesNames(mode)))('two instances with --proxy-mode %s', (mode) => {
  afterEach(closeAll)

  it('serve side by side, and the end of one is not felt by the other', async () => {
    const machine = await newMachine()
    const before = await machineState(machine.name)
    const both = await Promise.all(
      [SLOT, SLOT + 1].map(async (slot) => start(mode, { dataDir: await folder(), namespace: machine.name, slot })),
    )
    const urls: string[] = []
    for (const instance of both) {
      await apply(instance, machine.name, [pod('single'), service('single')])
      await readyPods(instance, 'single', 1)
      const url = `http://${await addressOf(instance, 'single')}:8080/`
      urls.push(url)
      await expect.poll(async () => (await get(machine.name, url)).pod, SOON).toBe('single')
    }
    const [first, second] = both
    if (first === undefined || second === undefined) throw new Error('two instances')
    const [address = ''] = await readyPods(second, 'single', 1)
    const inSecond = namespaceOf(second, address)
    // Pods of one reach Services of the other, as clients from outside.
    expect((await get(inSecond, urls[0] ?? '')).pod).toBe('single')
    expect(await first.stop()).toBe(0)
    for (const from of [machine.name, inSecond]) expect((await get(from, urls[1] ?? '')).pod).toBe('single')
    expect(await machine.ask(inSecond, machine.server)).toBe(`${machine.server} ${machine.address}`)
    expect(await second.stop()).toBe(0)
    expect(await machineState(machine.name, [first.dataDir, second.dataDir])).toEqual(before)
  })
})

describe.each(kernelModes.filter(sharesNames))('two instances with --proxy-mode %s', (mode) => {
  afterEach(closeAll)

  it('are refused: the second does not start, and leaves the first alone, as other modes do', async () => {
    const machine = await newMachine()
    const first = await start(mode, { dataDir: await folder(), namespace: machine.name })
    await apply(first, machine.name, [pod('single'), service('single')])
    await readyPods(first, 'single', 1)
    const dataDir = await folder()
    const args = [...instanceArgs(dataDir, { slot: SLOT + 1 }), '--proxy-mode', mode]
    const refused = await run(machine.name, process.execPath, 'bin/fairway.js', 'up', ...args)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(new RegExp(`fairway: another fairway .* --proxy-mode=${mode} .* choose nftables`))
    const second = await start('userspace', { dataDir, namespace: machine.name, slot: SLOT + 1 })
    await second.stop()
    await run(machine.name, process.execPath, 'bin/fairway.js', 'cleanup', '--data-dir', dataDir)
    expect((await get(machine.name, `http://${await addressOf(first, 'single')}:8080/`)).pod).toBe('single')
  })
})

describe.skipIf(!isRoot)('--proxy-mode auto (needs root)', () => {
  beforeEach(async () => void (await newMachine()))
  afterEach(closeAll)
  const here = `pm${process.pid}`

  it('takes nftables where it works, and says so in the table of the start too', async () => {
    const instance = await start('auto', { dataDir: await folder(), namespace: here })
    expect(instance.status.proxyMode).toBe(available.includes('nftables') ? 'nftables' : 'userspace')
    expect((await instance.fairway('status')).stdout).toContain(`proxy mode ${instance.status.proxyModeReason}`)
  })

  it('says in the status and as an Event which firewall may keep pods from one another', async () => {
    await run(here, 'iptables', '-P', 'FORWARD', 'DROP')
    const instance = await start('auto', { dataDir: await folder(), namespace: here })
    expect(instance.status.notes.join('\n')).toMatch(
      /chain FORWARD of table ip filter drops.*iptables -I FORWARD -i fw\w+-br -j ACCEPT/,
    )
    const events = async () => (await instance.fairway('get', 'events', '-A', '-o', 'yaml')).stdout
    await expect.poll(events, SOON).toContain('PodNetworkLimited')
  })
})
