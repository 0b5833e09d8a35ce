import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { again, DONE, runController } from './controller.ts'
import { createHoldOff } from './hold-off.ts'
import { createWorkQueue } from './work-queue.ts'

describe('work queue', () => {
  it('queues a key once and hands keys out in order', async () => {
    const queue = createWorkQueue({ clock: pausedClock() })
    for (const key of ['a', 'b', 'a']) queue.add(key)
    expect(queue.length).toBe(2)
    expect([await queue.take(), await queue.take()]).toEqual(['a', 'b'])
  })

  it('queues a key again that was added during its own work, once that is done', async () => {
    const queue = createWorkQueue({ clock: pausedClock() })
    queue.add('a')
    await queue.take()
    queue.add('a')
    queue.add('a')
    expect(queue.length).toBe(0)
    queue.done('a')
    expect(queue.length).toBe(1)
  })

  it('adds later, at the earliest of several times, and not again when it was added meanwhile', async () => {
    const clock = pausedClock()
    const queue = createWorkQueue({ clock })
    queue.addAfter('a', 1_000)
    queue.addAfter('a', 100)
    queue.addAfter('a', 500)
    await clock.advance(99)
    expect(queue.length).toBe(0)
    await clock.advance(1)
    expect(queue.length).toBe(1)
    await queue.take()
    queue.done('a')
    queue.addAfter('b', 100)
    queue.add('b')
    await queue.take()
    queue.done('b')
    await clock.advance(5_000)
    expect(queue.length).toBe(0)
  })

  it('backs off for each key by itself until it is forgotten', async () => {
    const clock = pausedClock()
    const queue = createWorkQueue({ clock, backoff: { initialMs: 100, maxMs: 400 } })
    const waits: number[] = []
    for (let round = 0; round < 5; round++) {
      if (round === 4) queue.forget('a')
      queue.addRateLimited('a')
      let waited = 0
      for (; queue.length === 0; waited += 50) await clock.advance(50)
      waits.push(waited)
      await queue.take()
      queue.done('a')
    }
    expect(waits).toEqual([100, 200, 400, 400, 100])
  })

  it('wakes everybody who waits when it is shut down, and takes nothing more', async () => {
    const queue = createWorkQueue({ clock: pausedClock() })
    const waiting = [queue.take(), queue.take()]
    queue.shutDown()
    queue.add('a')
    expect(await Promise.all(waiting)).toEqual([undefined, undefined])
    expect(await queue.take()).toBeUndefined()
  })

  it('loses no key and never works on one twice at a time, in any order of events', async () => {
    const event = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ do: fc.constant('later' as const), key: fc.constantFrom('a', 'b', 'c'), ms: fc.nat(50) }),
      fc.record({ do: fc.constantFrom('finish' as const, 'tick' as const), pick: fc.nat(3) }),
    )
    const property = fc.asyncProperty(fc.array(event), async (events) => {
      const clock = pausedClock()
      const queue = createWorkQueue({ clock })
      const working: string[] = []
      // A key that was asked for must be taken after that moment.
      const owed = new Set<string>()
      const finish = async (pick: number): Promise<void> => {
        const [key] = working.splice(pick % Math.max(1, working.length), 1)
        if (key !== undefined) queue.done(key)
      }
      const take = async (): Promise<void> => {
        while (queue.length > 0) {
          const key = (await queue.take()) ?? ''
          expect(working).not.toContain(key)
          working.push(key)
          owed.delete(key)
        }
      }
      for (const step of events) {
        if (step.do === 'add' || step.do === 'later') {
          owed.add(step.key)
          if (step.do === 'add') queue.add(step.key)
          else queue.addAfter(step.key, step.ms)
        } else if (step.do === 'tick') await clock.advance(20)
        else await finish(step.pick)
        await take()
      }
      while (working.length > 0 || owed.size > 0) {
        const before = owed.size + working.length
        await finish(0)
        await clock.advance(50)
        await take()
        if (owed.size > 0 && working.length === 0) expect(before, `${[...owed].join()} was lost`).toBe(-1)
      }
    })
    await fc.assert(property)
  })
})

describe('controller', () => {
  it('works on several keys at a time, retries failures with back-off, and looks again when asked', async () => {
    const clock = pausedClock()
    const queue = createWorkQueue({ clock, backoff: { initialMs: 100, maxMs: 1_000 } })
    const stop = new AbortController()
    const log: string[] = []
    const running = runController({
      name: 'test',
      queue,
      workers: 2,
      clock,
      log: silentLogger,
      signal: stop.signal,
      reconcile: async (key) => {
        log.push(key)
        if (key === 'fails' && log.filter((entry) => entry === key).length < 3) throw new Error('no')
        return key === 'again' && log.filter((entry) => entry === key).length < 2 ? again(500) : DONE
      },
    })
    for (const key of ['fails', 'again', 'once']) queue.add(key)
    await clock.advance(10_000)
    stop.abort()
    await running
    expect(log.toSorted()).toEqual(['again', 'again', 'fails', 'fails', 'fails', 'once'])
  })

  it('ends only when the work in progress has ended', async () => {
    const queue = createWorkQueue({ clock: pausedClock() })
    const stop = new AbortController()
    let finish = (): void => {}
    let ended = false
    const started = new Promise<void>((resolve) => {
      const running = runController({
        name: 'test',
        queue,
        clock: pausedClock(),
        log: silentLogger,
        signal: stop.signal,
        reconcile: async () => {
          resolve()
          await new Promise<void>((done) => {
            finish = done
          })
          ended = true
          return DONE
        },
      })
      queue.add('a')
      void running.then(() => expect(ended).toBe(true))
    })
    await started
    stop.abort()
    expect(ended).toBe(false)
    finish()
  })
})

describe('hold-off', () => {
  it('fires after the quiet time, and at the ceiling when it is never quiet', async () => {
    const clock = pausedClock()
    const fired: string[] = []
    const holdOff = createHoldOff({
      clock,
      holdOffMs: 20,
      ceilingMs: 100,
      fire: (key) => fired.push(`${key}@${clock.monotonic()}`),
    })
    holdOff.touch('quiet')
    for (let i = 0; i < 12; i++) {
      holdOff.touch('busy')
      await clock.advance(10)
    }
    await clock.advance(100)
    expect(fired).toEqual(['quiet@20', 'busy@100', 'busy@130'])
  })

  it('forgets what is pending when it is cancelled', async () => {
    const clock = pausedClock()
    const fired: string[] = []
    const holdOff = createHoldOff({ clock, holdOffMs: 20, ceilingMs: 100, fire: (key) => fired.push(key) })
    holdOff.touch('a')
    holdOff.cancel()
    await clock.advance(1_000)
    expect(fired).toEqual([])
  })
})
