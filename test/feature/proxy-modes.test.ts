import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Machine } from '../../src/node/network/testing/machine.ts'
import { type Instance, inNamespace } from '../support/instance.ts'
import { machineState } from '../support/machine-state.ts'
import {
  addressOf,
  apply,
  askUdp,
  available,
  closeAll,
  folder,
  get,
  MODES,
  namespaceOf,
  newMachine,
  opened,
  readyPods,
  run,
  SOON,
  serviceOf,
  start,
} from '../support/proxy-modes.ts'
import { deployment, echoPod, ingress, path, pod, service } from '../support/world.ts'

/** Several whole instances one after another. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

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
