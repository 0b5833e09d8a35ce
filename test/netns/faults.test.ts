import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { decide, type Forwarding, type Packet, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import type { Drift } from '../../src/proxy/index.ts'
import type { LoadReport } from './flows.ts'
import { canOpenLab, type Lab, openLab, POD_PORT } from './lab.ts'
import type { ProxyRequest } from './proxy-process.ts'

const ECHO_PORT = 9_000
const CHURNING = 200
const KILLS = 12
const WEB = '10.96.0.10'
const ECHO = '10.96.0.11'
const processFile = fileURLToPath(new URL('proxy-process.ts', import.meta.url))

let lab: Lab
const running: ProxyProcess[] = []

interface ProxyProcess {
  readonly child: ChildProcess
  ask(request: ProxyRequest): Promise<readonly Drift[] | undefined>
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>
}

const startProxy = async (mode: string): Promise<ProxyProcess> => {
  const argv = ['netns', 'exec', lab.node.name, process.execPath, '--import', 'tsx', processFile, mode]
  const child = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error(`the proxy in mode ${mode} did not start`))),
  ])
  const waiting = new Map<number, (answer: { result?: readonly Drift[]; error?: string }) => void>()
  child.on('message', (answer: { id: number; result?: readonly Drift[]; error?: string }) => waiting.get(answer.id)?.(answer))
  let id = 0
  const started: ProxyProcess = {
    child,
    ask: (request) =>
      new Promise((resolve, reject) => {
        const mine = ++id
        waiting.set(mine, ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(error))))
        child.send({ id: mine, request })
      }),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
  running.push(started)
  return started
}

const forwarding = (name: string, clusterIP: string, endpoints: readonly string[], targetPort = POD_PORT): Forwarding => {
  const slices = [
    slice(
      name,
      endpoints.map((address) => endpoint(address, { nodeName: 'n1' })),
      { ports: [{ port: targetPort, protocol: 'TCP', name: '' }] },
    ),
  ]
  const object = service(name, { clusterIP, clusterIPs: [clusterIP], ports: [port(80)] })
  const meaning = serviceForwarding({ service: object, slices, node: lab.node.view('IPv4') }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

/** Services whose endpoints are others in every round. */
const churning = (round: number): readonly Forwarding[] => {
  const { pods } = lab.plan('IPv4')
  return Array.from({ length: CHURNING }, (_, index) => {
    const count = (index + round) % (pods.length + 1)
    return forwarding(`churn-${index}`, `10.96.1.${index}`, pods.slice(0, count))
  })
}

const web = (): Forwarding => forwarding('web', WEB, lab.plan('IPv4').pods.slice(0, 2))
const steady = (): readonly Forwarding[] => [web(), forwarding('echo', ECHO, lab.plan('IPv4').pods.slice(0, 1), ECHO_PORT)]

const fullChange = (set: readonly Forwarding[]): ProxyRequest => ({
  op: 'sync',
  change: { full: true, set, delete: [], node: lab.node.view('IPv4') },
})
const change = (set: readonly Forwarding[]): ProxyRequest => ({
  op: 'sync',
  change: { full: false, set, delete: [], node: lab.node.view('IPv4') },
})

const fromOutside = (address: string): Packet => ({
  source: { class: 'outside', address: lab.plan('IPv4').sources.outside },
  destination: { address, port: 80 },
  protocol: 'TCP',
})

const client = () => lab.agentAt(lab.plan('IPv4').sources.outside)
const openEcho = async (): Promise<number> => (await client().ask({ op: 'open', packet: fromOutside(ECHO) })) as number
const exchange = (connection: number, text: string) => client().ask({ op: 'exchange', connection, text })
const startLoad = () => client().ask({ op: 'start load', packet: fromOutside(WEB) })
const stopLoad = async (): Promise<LoadReport> => (await client().ask({ op: 'stop load' })) as LoadReport

/** Every packet to these Services goes where the model lets it; their pods tell their names. */
const expectServed = async (all: readonly Forwarding[]): Promise<void> => {
  for (const each of all) {
    const packet = fromOutside(each.clusterIP)
    const verdict = decide(each, packet, lab.node.view('IPv4'))
    const outcome = await lab.send(packet)
    if (verdict.kind !== 'dnat') expect(outcome.kind, each.key).toBe('refused')
    else {
      const allowed = verdict.candidates.map((target) => `${target.address}:${target.port}`)
      expect(allowed, each.key).toContain(outcome.kind === 'reached' ? outcome.endpoint : outcome.kind)
    }
  }
}

/** Modes of the kernel that this machine has, and how another program wrecks what they keep. */
const MODES = [
  { mode: 'nftables', wreck: ['nft', 'flush', 'ruleset'] },
  { mode: 'iptables', wreck: ['sh', '-c', 'iptables -t nat -F; iptables -t nat -X'] },
] as const

describe.skipIf(!canOpenLab)('the proxy when things break', () => {
  beforeAll(async () => {
    lab = await openLab('ff')
    const [pod = ''] = lab.plan('IPv4').pods
    await lab.agentAt(pod).ask({ op: 'echo server', target: { address: pod, port: ECHO_PORT } })
  })
  afterAll(() => lab?.close())

  describe.each(MODES)('in mode $mode', ({ mode, wreck }) => {
    let proxy: ProxyProcess
    beforeEach(async () => {
      proxy = await startProxy(mode)
      await proxy.ask(fullChange([...steady(), ...churning(0)]))
    })
    afterEach(async () => {
      const last = await startProxy(mode)
      await last.ask({ op: 'cleanup' })
      await Promise.all(running.splice(0).map((each) => each.kill()))
    })

    it('loses nothing to SIGKILLs at any point of a sync, and converges', async () => {
      const startedAt = performance.now()
      await proxy.ask(change(churning(1)))
      const tookMs = performance.now() - startedAt
      const connection = await openEcho()
      await startLoad()
      for (let round = 0; round < KILLS; round++) {
        const unfinished = proxy.ask(change(churning(round + 2)))
        unfinished.catch(() => {})
        // The kill is the event under test: it comes at a point of the sync, spread over what one takes here.
        await new Promise((resolve) => setTimeout(resolve, (tookMs * (round + 0.5)) / KILLS))
        await proxy.kill()
        expect(await exchange(connection, `round ${round}`)).toBe(`round ${round}`)
        proxy = await startProxy(mode)
        await proxy.ask(fullChange([...steady(), ...churning(round + 2)]))
      }
      const { answered, failures } = await stopLoad()
      expect(failures).toEqual([])
      expect(answered).toBeGreaterThan(KILLS)
      expect(await proxy.ask({ op: 'audit' })).toEqual([])
      await expectServed([web(), ...churning(KILLS + 1).slice(0, 12)])
    })

    it('cuts no connection and fails no new one when it is restarted under load', async () => {
      const connection = await openEcho()
      await startLoad()
      for (let round = 0; round < 3; round++) {
        const exited = once(proxy.child, 'exit')
        proxy.child.disconnect()
        await exited
        expect(await exchange(connection, `restart ${round}`)).toBe(`restart ${round}`)
        proxy = await startProxy(mode)
        await proxy.ask(fullChange([...steady(), ...churning(0)]))
      }
      const { answered, failures } = await stopLoad()
      expect(failures).toEqual([])
      expect(answered).toBeGreaterThan(3)
    })

    it('notices by itself that another program wrecked its rules, says what was gone and puts it back', {
      timeout: 90_000,
    }, async () => {
      const connection = await openEcho()
      expect(await exchange(connection, 'before')).toBe('before')
      const healed = proxy.ask({ op: 'heal' })
      await lab.node.exec(wreck)
      const wreckedAt = performance.now()
      const drift = await healed
      // Not by the look of every 30 s.
      expect(performance.now() - wreckedAt).toBeLessThan(10_000)
      expect(drift?.length).toBeGreaterThan(0)
      expect(drift?.[0]).toMatchObject({ kind: 'missing' })
      expect(await exchange(connection, 'after')).toBe('after')
      await expectServed([web()])
      expect(await proxy.ask({ op: 'audit' })).toEqual([])
    })
  })
})
