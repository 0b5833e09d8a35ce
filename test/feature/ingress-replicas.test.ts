import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { classOf, ingressOf, type RunningIngress, serviceOf, startIngress, startPod, type TestPod } from '../support/ingress.ts'
import { command, type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { curl, freePort, SOON, undo, undoAll } from '../support/proxy.ts'

const CLASS = 'replicated'
const ADDRESS = '192.0.2.81'

interface Replica {
  readonly ingress: RunningIngress
  readonly http: number
  readonly health: string
  readonly metrics: string
}

describe('replicas of fairway ingress', () => {
  let dataDir: string
  let instance: Instance
  let pod: TestPod
  const running: Replica[] = []

  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(dataDir, 'test.json')
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.flat() }))
    const { code, stderr } = await instance.fairway('apply', '-f', file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const get = async (kind: string, name: string) => JSON.parse((await instance.fairway('get', kind, name, '-o', 'json')).stdout)
  const addresses = async (): Promise<unknown> => (await get('ingress', 'web')).status?.loadBalancer?.ingress
  const holder = async (): Promise<string> => (await get('lease', 'replicas')).spec.holderIdentity ?? ''
  const leads = async ({ metrics }: Replica): Promise<boolean> =>
    (await curl(`http://${metrics}/metrics`)).text.includes('fairway_ingress_leader 1')
  const ask = async ({ http }: Replica, path = '/'): Promise<string> =>
    (await command('curl', ['-sS', '-m', '30', '-H', 'host: web.example', `http://127.0.0.1:${http}${path}`])).stdout

  const start = async (...args: readonly string[]): Promise<Replica> => {
    const [health, metrics] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
    const ingress = startIngress([
      ...['--kubeconfig', instance.status.kubeconfig, '--ingress-class', CLASS, '--controller-name', 'example.com/standalone'],
      ...['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--workers', '1', '--election-id', 'replicas'],
      ...['--health', health, '--metrics', metrics, ...args],
    ])
    const { http } = await ingress.ready()
    const replica = { ingress, http, health, metrics }
    running.push(replica)
    return replica
  }

  beforeAll(async () => {
    dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    instance = await startInstance({ asUser: true, dataDir, slot: 71 })
    undo.push(() => instance.stop())
    pod = await startPod('one', '127.245.71.1')
    await apply(classOf(CLASS), ...serviceOf('web', pod), ingressOf('web', { className: CLASS }))
  })
  afterAll(undoAll)

  const published = ['--publish-status-address', ADDRESS, '--drain-timeout', '10s']

  it('all serve, one leads and writes the status', async () => {
    const [a, b] = [await start(...published), await start(...published)]
    expect([await ask(a), await ask(b)]).toEqual(['one', 'one'])
    await expect.poll(addresses, SOON).toEqual([{ ip: ADDRESS }])
    expect([await leads(a), await leads(b)].filter((isLeader) => isLeader)).toHaveLength(1)
  })

  it('when the leader is killed another takes over, and the status is kept', async () => {
    const before = await holder()
    const [a, b] = running
    if (a === undefined || b === undefined) throw new Error('not started')
    const [leader, follower] = (await leads(a)) ? [a, b] : [b, a]
    await leader.ingress.stop('SIGKILL')
    await expect.poll(() => leads(follower), { timeout: 30_000, interval: 100 }).toBe(true)
    expect(await holder()).not.toBe(before)
    expect(await addresses()).toEqual([{ ip: ADDRESS }])
    // It writes from now on.
    await apply(ingressOf('web', { className: 'nobody' }))
    await expect.poll(addresses, SOON).toBeUndefined()
    await apply(ingressOf('web', { className: CLASS }))
    await expect.poll(addresses, SOON).toEqual([{ ip: ADDRESS }])
    expect(await ask(follower)).toBe('one')
  })

  it('a leader that stops gives the lease back, so that the next one leads at once', async () => {
    const next = await start(...published)
    const [leader] = running.filter(({ ingress }) => ingress.process.exitCode === null && ingress.process.signalCode === null)
    const stopped = leader?.ingress.stop()
    await expect.poll(() => leads(next), { timeout: 10_000, interval: 50 }).toBe(true)
    expect(await stopped).toBe(0)
    await expect.poll(addresses, SOON).toEqual([{ ip: ADDRESS }])
    await next.ingress.stop()
  })

  it('at SIGTERM is not ready, still serves for the delay, and finishes what is in progress', async () => {
    const replica = await start('--publish-status-address', ADDRESS, '--shutdown-delay', '2s', '--drain-timeout', '20s')
    await expect.poll(addresses, SOON).toEqual([{ ip: ADDRESS }])
    const slow = ask(replica, '/slow')
    await vi.waitUntil(() => pod.waiting === 1, SOON)
    const stopped = replica.ingress.stop()
    await expect.poll(() => curl(`http://${replica.health}/readyz`), SOON).toEqual({ code: 503, text: 'draining\n' })
    expect(await ask(replica)).toBe('one')
    expect((await curl(`http://${replica.health}/healthz`)).code).toBe(200)
    const refused = async (): Promise<number> =>
      (await command('curl', ['-s', '-o', '/dev/null', '-m', '5', `http://127.0.0.1:${replica.http}/`])).code
    const CONNECTION_REFUSED = 7
    await expect.poll(refused, SOON).toBe(CONNECTION_REFUSED)
    // The address stays while a request is in progress.
    expect(await addresses()).toEqual([{ ip: ADDRESS }])
    pod.release()
    expect(await slow).toBe('one slow')
    expect(await stopped).toBe(0)
    expect(await addresses()).toBeUndefined()
  })

  it('at a second SIGTERM ends at once, and leaves no process', async () => {
    const replica = await start('--drain-timeout', '60s')
    const slow = ask(replica, '/slow')
    await vi.waitUntil(() => pod.waiting === 1, SOON)
    const { pid = 0 } = replica.ingress.process
    const { stdout } = await command('pgrep', ['-P', String(pid)])
    const workers = stdout.trim().split('\n').map(Number)
    expect(workers.length).toBeGreaterThan(0)
    const stopped = replica.ingress.stop()
    await expect.poll(() => curl(`http://${replica.health}/readyz`), SOON).toMatchObject({ code: 503 })
    expect(await replica.ingress.stop()).toBe(130)
    await stopped
    const alive = (): readonly number[] => workers.filter(isAlive)
    await expect.poll(alive, SOON).toEqual([])
    expect(await slow).toBe('')
    pod.release()
  })
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
