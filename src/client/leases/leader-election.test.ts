import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type Lease, leaseKind } from '../../api/index.ts'
import { type Clock, silentLogger, sleep } from '../../base/index.ts'
import { type PausedClock, pausedClock } from '../../base/testing/paused-clock.ts'
import { type Client, ConnectionError } from '../client.ts'
import { type FakeApi, fakeApi } from '../testing/index.ts'
import { createLeaderElection, type LeaderElection } from './leader-election.ts'

const LEASE = { namespace: 'kube-system', name: 'fairway-ingress' }

/** One process: its clock may be wrong, fast or slow, and it can be stopped as by SIGSTOP. */
interface Contender {
  readonly election: LeaderElection
  readonly told: boolean[]
  pause(): void
  resume(): void
  /** Requests fail while set. */
  isCutOff: boolean
  /** On the way to the server, and back. */
  delaysMs: readonly [number, number]
  stop(): Promise<void>
}

interface ContenderOptions {
  readonly wallSkewMs?: number
  /** How fast its monotonic clock runs. */
  readonly rate?: number
}

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

const join = async (
  { api, clock }: { readonly api: FakeApi; readonly clock: PausedClock },
  identity: string,
  { wallSkewMs = 0, rate = 1 }: ContenderOptions = {},
): Promise<Contender> => {
  const held: (() => void)[] = []
  let isPaused = false
  const run = (callback: () => void): void => {
    if (isPaused) held.push(callback)
    else callback()
  }
  /** Timers and answers of a stopped process wait until it goes on; its monotonic clock does not. */
  const own: Clock = {
    now: () => clock.now() + wallSkewMs,
    monotonic: () => clock.monotonic() * rate,
    setTimer: (callback, delayMs) => {
      let isCancelled = false
      const timer = clock.setTimer(() => run(() => isCancelled || callback()), delayMs / rate)
      return {
        cancel() {
          isCancelled = true
          timer.cancel()
        },
      }
    },
  }
  const travel = async (ms: number): Promise<void> => {
    if (ms > 0) await sleep(clock, ms)
  }
  const over = async <T>(request: () => Promise<T>): Promise<T> => {
    await travel(contender.delaysMs[0])
    if (contender.isCutOff) throw new ConnectionError('the network is gone')
    const answer = await request().then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error
      },
    )
    await travel(contender.delaysMs[1])
    await new Promise<void>((resolve) => run(resolve))
    if (contender.isCutOff) throw new ConnectionError('the answer was lost')
    return answer()
  }
  const client: Pick<Client, 'get' | 'create' | 'update'> = {
    get: (kind, ref) => over(() => api.client.get(kind, ref)),
    create: (kind, object) => over(() => api.client.create(kind, object)),
    update: (kind, object) => over(() => api.client.update(kind, object)),
  }
  const election = createLeaderElection({ client, lease: LEASE, identity, clock: own, log: silentLogger, random: () => 0.5 })
  const told: boolean[] = []
  election.onChange((isLeader) => told.push(isLeader))
  const abort = new AbortController()
  const contender: Contender = {
    election,
    told,
    isCutOff: false,
    delaysMs: [0, 0],
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      for (const callback of held.splice(0)) callback()
    },
    async stop() {
      abort.abort()
      await clock.advance(0)
      await stopped
    },
  }
  const { stopped } = await election.start(abort.signal)
  stops.push(() => abort.abort())
  await clock.advance(0)
  return contender
}

const world = () => ({ api: fakeApi({ clock: pausedClock() }), clock: pausedClock() })
const lease = (api: FakeApi): Lease['spec'] | undefined => api.objects<Lease>(leaseKind)[0]?.spec
const leaders = (contenders: readonly Contender[]): readonly boolean[] => contenders.map(({ election }) => election.isLeader)

describe('leader election', () => {
  it('makes the lease, and the first leads for as long as it renews', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    const b = await join({ api, clock }, 'b')
    await clock.advance(600_000)
    expect(leaders([a, b])).toEqual([true, false])
    expect([a.told, b.told, b.election.holder]).toEqual([[true], [], 'a'])
    expect(lease(api)).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
  })

  it('renews with one write each period, and reads nothing', async () => {
    const { api, clock } = world()
    await join({ api, clock }, 'a')
    await clock.advance(2_000)
    const before = api.requests.length
    await clock.advance(20_000)
    expect(api.requests.slice(before).map(({ verb }) => verb)).toEqual(Array.from({ length: 10 }, () => 'update'))
  })

  it('gives the lease back at a stop, and another leads within its retry period', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    const b = await join({ api, clock }, 'b')
    await a.stop()
    expect(lease(api)).toMatchObject({ leaseDurationSeconds: 1 })
    expect(lease(api)?.holderIdentity).toBeUndefined()
    await clock.advance(5_000)
    expect(leaders([a, b])).toEqual([false, true])
    expect(lease(api)).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
  })

  it('gives back nothing that is another’s', async () => {
    const { api, clock } = world()
    await join({ api, clock }, 'a')
    const b = await join({ api, clock }, 'b')
    await b.stop()
    expect(lease(api)?.holderIdentity).toBe('a')
  })

  it('a leader that was stopped knows at once that it leads no more', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    const b = await join({ api, clock }, 'b')
    a.pause()
    await clock.advance(60_000)
    expect(leaders([a, b])).toEqual([false, true])
    // Its timers fire late, and it must not take back what is another's.
    a.resume()
    await clock.advance(60_000)
    expect(leaders([a, b])).toEqual([false, true])
    expect(a.told).toEqual([true, false])
    expect(lease(api)?.leaseTransitions).toBe(1)
  })

  it('a leader that lost the server steps down at its deadline, before another may lead', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    const b = await join({ api, clock }, 'b')
    await clock.advance(2_000)
    a.isCutOff = true
    await clock.advance(9_000)
    expect(leaders([a, b])).toEqual([true, false])
    await clock.advance(1_500)
    expect(leaders([a, b])).toEqual([false, false])
    await clock.advance(10_000)
    expect(leaders([a, b])).toEqual([false, true])
  })

  it('while nobody reaches the server nobody leads, and the old leader goes on when it is back', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    api.intercept = () => {
      throw new ConnectionError('down')
    }
    await clock.advance(120_000)
    expect(a.election.isLeader).toBe(false)
    api.intercept = undefined
    await clock.advance(5_000)
    expect(a.told).toEqual([true, false, true])
    expect(lease(api)?.leaseTransitions).toBe(0)
  })

  it('a request that never ends costs no more than the deadline', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    a.delaysMs = [3_600_000, 0]
    await clock.advance(12_500)
    expect(a.election.isLeader).toBe(false)
    a.delaysMs = [0, 0]
    await clock.advance(15_000)
    expect(a.election.isLeader).toBe(true)
  })

  it('leads from the moment that the renewal was sent, not from the answer', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    a.delaysMs = [0, 7_000]
    await clock.advance(10_500)
    a.isCutOff = true
    // Sent after 2 s, answered after 9 s.
    await clock.advance(1_000)
    expect(a.election.isLeader).toBe(true)
    await clock.advance(1_000)
    expect(a.election.isLeader).toBe(false)
  })

  it.each([
    ['a day ahead', 86_400_000],
    ['a day behind', -86_400_000],
  ])('does not care for a wall clock that is %s', async (_title, wallSkewMs) => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a', { wallSkewMs })
    const b = await join({ api, clock }, 'b')
    await clock.advance(120_000)
    expect(leaders([a, b])).toEqual([true, false])
    a.pause()
    await clock.advance(20_000)
    expect(leaders([a, b])).toEqual([false, true])
  })

  it('a lease that was deleted is made again', async () => {
    const { api, clock } = world()
    const a = await join({ api, clock }, 'a')
    api.remove(leaseKind, LEASE)
    await clock.advance(5_000)
    expect(leaders([a])).toEqual([true])
    expect(lease(api)?.holderIdentity).toBe('a')
  })

  it('one of several that start at the same moment leads', async () => {
    const { api, clock } = world()
    const all = await Promise.all(['a', 'b', 'c'].map((name) => join({ api, clock }, name)))
    await clock.advance(10_000)
    expect(leaders(all).filter((isLeader) => isLeader)).toHaveLength(1)
  })
})

describe('never two leaders', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 500, max: 8_000 }) }) },
    fc.record({ kind: fc.constantFrom('pause', 'resume', 'cut', 'mend'), who: fc.nat(2) }),
    fc.record({ kind: fc.constant('delay' as const), who: fc.nat(2), there: fc.nat(12_000), back: fc.nat(12_000) }),
    fc.record({ kind: fc.constant('stop' as const), who: fc.nat(2) }),
  )
  const rates = fc.tuple(...([0, 1, 2] as const).map(() => fc.double({ min: 0.9, max: 1.1, noNaN: true })))

  it('whatever is paused, cut off, delayed, skewed or stopped', async () => {
    let led = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), rates, async (steps, speeds) => {
        const { api, clock } = world()
        const all = await Promise.all(
          speeds.map((rate, i) => join({ api, clock }, `c${i}`, { rate, wallSkewMs: (i - 1) * 3_600_000 })),
        )
        for (const each of steps) {
          const who = 'who' in each ? all[each.who] : undefined
          if (each.kind === 'pause') who?.pause()
          if (each.kind === 'resume') who?.resume()
          if (who !== undefined && (each.kind === 'cut' || each.kind === 'mend')) who.isCutOff = each.kind === 'cut'
          if (who !== undefined && 'there' in each) who.delaysMs = [each.there, each.back]
          // Not awaited: a paused process stops when it goes on.
          if (each.kind === 'stop') void who?.stop()
          const ms = each.kind === 'advance' ? each.ms : 1
          for (let leftMs = ms; leftMs > 0; leftMs -= 500) {
            await clock.advance(Math.min(leftMs, 500))
            const now = leaders(all).filter((isLeader) => isLeader).length
            expect(now).toBeLessThanOrEqual(1)
            led += now
          }
        }
        for (const each of all) each.resume()
        for (const stop of stops.splice(0)) stop()
        await clock.advance(60_000)
      }),
      { numRuns: 150 },
    )
    expect(led).toBeGreaterThan(100)
  })
})
