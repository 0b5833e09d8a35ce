import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { realExec } from '../../src/host/index.ts'
import { formatPlacement, PLACEMENT_ANNOTATION } from '../../src/loadbalancer/placement.ts'
import { testService } from '../../src/loadbalancer/testing/services.ts'
import { endpoint, ready, slice, vips } from '../../src/model/testing/index.ts'
import type { Answered } from './announce-process.ts'
import { canOpenLab, type Lab, openLab } from './lab.ts'

const VIP = '198.51.100.200'
const VIP6 = 'fd00:a::200'
const API = { address: '198.51.100.9', port: 7070 }
const file = fileURLToPath(new URL('announce-process.ts', import.meta.url))

let lab: Lab
const children: ChildProcess[] = []

const start = async (namespace: string, ...args: readonly string[]): Promise<ChildProcess> => {
  const argv = ['netns', 'exec', namespace, process.execPath, '--import', 'tsx', file, ...args]
  const child = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  children.push(child)
  await once(child, 'message')
  return child
}
const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}
const nodeSpace = (number: number): string => lab.node.name.replace(/1$/, String(number))
const startNode = (number: number): Promise<ChildProcess> =>
  start(nodeSpace(number), 'node', `n${number}`, `http://${API.address}:${API.port}`, 'eth0')
const hasAddress = async (number: number, address: string): Promise<boolean> => {
  const { stdout } = await realExec(['ip', '-n', nodeSpace(number), 'address', 'show', 'dev', 'eth0'])
  return stdout.includes(` ${address}/`)
}
const holders = async (address: string): Promise<readonly string[]> => {
  const has = await Promise.all([1, 2].map((number) => hasAddress(number, address)))
  return ['n1', 'n2'].filter((_, index) => has[index])
}
/** Who answers, since the client began. */
const watchFrom = async (address: string) => {
  const answers: Answered[] = []
  const child = await start(lab.outside, 'client', address)
  child.on('message', (answer: Answered) => answers.push(answer))
  const last = (): string => answers.at(-1)?.who ?? ''
  return { child, answers, last }
}
/** The longest time without an answer. */
const longestGap = (answers: readonly Answered[], from: number): number => {
  const good = answers.filter(({ at, who }) => at >= from - 200 && who.startsWith('n')).map(({ at }) => at)
  return Math.max(...good.slice(1).map((at, index) => at - (good[index] ?? at)))
}
const web = (policy: 'Cluster' | 'Local') => {
  const service = testService('web', [80], {
    [PLACEMENT_ANNOTATION]: formatPlacement({ provider: 'local', key: 'k', token: 't' }),
  })
  return { ...service, spec: { ...service.spec, externalTrafficPolicy: policy }, status: vips(VIP, VIP6) }
}
const readyOn = (nodeName: string) => slice('web', [endpoint('10.1.1.2', { nodeName, ...ready })])
const LONG = { timeout: 20_000, interval: 50 }

// Without root there are no namespaces to make.
describe.skipIf(!canOpenLab)('addresses announced on a link', () => {
  let api: ChildProcess
  beforeAll(async () => {
    lab = await openLab('fa')
  })
  afterEach(async () => {
    for (const child of children.splice(0).reverse()) await end(child, 'SIGKILL')
    for (const number of [1, 2]) {
      for (const each of [`${VIP}/32`, `${VIP6}/128`])
        await realExec(['ip', '-n', nodeSpace(number), 'address', 'del', each, 'dev', 'eth0']).catch(() => {})
    }
  })
  afterAll(() => lab?.close())

  const world = async (policy: 'Cluster' | 'Local' = 'Cluster') => {
    api = await start(lab.outside, 'api', API.address, String(API.port))
    api.send(web(policy))
    const first = await startNode(1)
    if (policy === 'Cluster') await expect.poll(() => holders(VIP), LONG).toEqual(['n1'])
    const second = await startNode(2)
    return { first, second }
  }

  it.each([
    { how: 'is stopped', signal: 'SIGTERM' as const, address: VIP, atMostMs: 2_500 },
    { how: 'is stopped, IPv6', signal: 'SIGTERM' as const, address: VIP6, atMostMs: 2_500 },
    { how: 'is killed', signal: 'SIGKILL' as const, address: VIP, atMostMs: 9_000 },
    { how: 'hangs', signal: 'SIGSTOP' as const, address: VIP, atMostMs: 9_000 },
  ])('go to the other node when one $how', async ({ how, signal, address, atMostMs }) => {
    const { first } = await world()
    const client = await watchFrom(address)
    await expect.poll(client.last, LONG).toBe('n1')
    const both: string[] = []
    let isWatching = true
    const watching = (async () => {
      while (isWatching) both.push((await holders(address)).join())
    })()
    const from = Date.now()
    first.kill(signal)
    await expect.poll(client.last, LONG).toBe('n2')
    isWatching = false
    await watching
    const gapMs = longestGap(client.answers, from)
    console.log(`fail-over when the node ${how}: ${gapMs} ms without an answer`)
    expect(gapMs).toBeLessThan(atMostMs)
    expect(both).not.toContain('n1,n2')
    if (signal === 'SIGSTOP') first.kill('SIGCONT')
  })

  it('stay where they are when the other node comes and goes', async () => {
    const { second } = await world()
    const client = await watchFrom(VIP)
    await expect.poll(client.last, LONG).toBe('n1')
    const from = Date.now()
    await end(second, 'SIGTERM')
    await startNode(2)
    expect(longestGap(client.answers, from)).toBeLessThan(500)
    expect(client.last()).toBe('n1')
  })

  it('with policy Local are only where a ready endpoint is, and go where it goes', async () => {
    await world('Local')
    const client = await watchFrom(VIP)
    expect(await holders(VIP)).toEqual([])
    api.send(readyOn('n2'))
    await expect.poll(client.last, LONG).toBe('n2')
    api.send(readyOn('n1'))
    await expect.poll(client.last, LONG).toBe('n1')
    expect(await holders(VIP)).toEqual(['n1'])
  })

  it('leave the device when the Service loses them', async () => {
    await world()
    await expect.poll(() => holders(VIP), LONG).toEqual(['n1'])
    api.send({ ...web('Cluster'), status: vips(VIP6) })
    await expect.poll(() => holders(VIP), LONG).toEqual([])
    expect(await holders(VIP6)).toHaveLength(1)
  })
})
