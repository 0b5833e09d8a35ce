import { afterEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../../base/index.ts'
import { certificateFor } from '../testing/certificates.ts'
import { answeringPod, everything, pods } from '../testing/harness.ts'
import { connectionsOf, type Load, startLoad } from '../testing/load.ts'
import { TURN } from './accept-turns.ts'
import { createEngine, type Engine, type RunningEngine } from './engine.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

const start = async (workers: number): Promise<{ readonly engine: Engine; readonly running: RunningEngine }> => {
  const pod = await answeringPod('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  cleanup.push(() => pod.close())
  const address = '127.0.0.1'
  const engine = createEngine({ http: { address, port: 0 }, https: { address, port: 0 }, workers, tickMs: 10, log: silentLogger })
  await engine.update({ hosts: new Map([['a.io', everything('pods')]]), backends: new Map([['pods', pods(pod.port)]]) })
  const abort = new AbortController()
  const running = await engine.start(abort.signal)
  cleanup.push(() => running.stopped)
  cleanup.push(() => abort.abort())
  return { engine, running }
}

const loaded = (options: Parameters<typeof startLoad>[0]): Load => {
  const load = startLoad(options)
  cleanup.push(() => load.stop())
  return load
}

describe('under load', { timeout: 120_000 }, () => {
  it('two workers share connections', async () => {
    const { running } = await start(2)
    for (let round = 0; round < 5; round++) {
      const load = startLoad({ port: running.http ?? 0, clients: 64 })
      await load.more(1_000)
      const shares = running.workers.map((pid) => connectionsOf(pid, running.http ?? 0))
      await load.stop()
      expect(load.broken).toBe(0)
      expect(Math.min(...shares), shares.join(':')).toBeGreaterThanOrEqual(TURN)
    }
  })

  it('a worker that is killed costs its own connections and no other', async () => {
    const { running } = await start(2)
    const port = running.http ?? 0
    const load = loaded({ port, clients: 32 })
    await load.more(500)
    const [pid = 0] = running.workers
    process.kill(pid, 'SIGSTOP')
    const own = connectionsOf(pid, port)
    process.kill(pid, 'SIGKILL')
    await load.more(2_000)
    await expect.poll(() => running.workers.filter((worker) => worker !== pid).length, { timeout: 30_000 }).toBe(2)
    await load.more(2_000)
    await load.stop()
    expect(own).toBeGreaterThan(0)
    expect(load.broken).toBe(own)
  })

  it('workers are replaced one by one without a lost request, on kept connections and on new ones', async () => {
    const { engine, running } = await start(2)
    const before = running.workers
    const loads = [
      loaded({ port: running.http ?? 0, clients: 16 }),
      loaded({ port: running.http ?? 0, clients: 4, closes: true }),
      loaded({ port: running.https ?? 0, clients: 4, isTls: true }),
      loaded({ port: running.https ?? 0, clients: 4, isTls: true, closes: true }),
    ]
    for (const load of loads) await load.more(50)
    await engine.restartWorkers()
    for (const load of loads) await load.more(50)
    for (const load of loads) await load.stop()
    expect(loads.map((load) => load.broken)).toEqual([0, 0, 0, 0])
    expect(running.workers).toHaveLength(2)
    for (const pid of before) expect(running.workers).not.toContain(pid)
  })

  it('a certificate is replaced 50 times without a failed connection', async () => {
    const { engine, running } = await start(2)
    const certificates = await Promise.all([certificateFor('a.io'), certificateFor('a.io')])
    const rotate = (i: number): Promise<void> =>
      engine.update({
        tlsHosts: new Map([
          ['a.io', 'a'],
          ['', i % 3 === 0 ? 'a' : null],
        ]),
        certificates: new Map([['a', certificates[i % 2] ?? null]]),
      })
    await rotate(0)
    const [fresh, kept] = [
      loaded({ port: running.https ?? 0, clients: 6, isTls: true, closes: true }),
      loaded({ port: running.https ?? 0, clients: 6, isTls: true }),
    ]
    for (let i = 1; i <= 50; i++) {
      await rotate(i)
      await fresh.more(4)
    }
    await kept.more(50)
    for (const load of [fresh, kept]) await load.stop()
    expect([fresh.broken, kept.broken]).toEqual([0, 0])
    expect(fresh.answers).toBeGreaterThanOrEqual(200)
  })
})
