import { describe, expect, it } from 'vitest'
import { silentLogger } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { type BatchQueue, runBatches } from './batch-loop.ts'

const keyQueue = (): BatchQueue<readonly string[]> & { add(key: string): void } => {
  let keys: readonly string[] = []
  let wake = (): void => {}
  const add = (key: string): void => {
    keys = [...keys, key]
    wake()
  }
  return {
    add,
    take() {
      if (keys.length === 0) return undefined
      const batch = keys
      keys = []
      return batch
    },
    giveBack: (batch) => {
      keys = [...batch, ...keys]
    },
    changed: () =>
      new Promise((resolve) => {
        wake = resolve
      }),
    wake: () => wake(),
  }
}

const start = (reconcile: (batch: readonly string[]) => Promise<void>, waitForSync = async (): Promise<void> => {}) => {
  const queue = keyQueue()
  const clock = pausedClock()
  const stop = new AbortController()
  let rounds = 0
  const failure = { message: 'sync failed', fields: () => ({}) }
  const options = { queue, waitForSync, reconcile, firstDone: () => void rounds++, failure, clock, log: silentLogger }
  const ended = runBatches(options, stop.signal)
  return { queue, clock, stop, ended, rounds: () => rounds }
}

describe('batch loop', () => {
  it('makes one batch of what comes while another is in work', async () => {
    const batches: (readonly string[])[] = []
    let release = (): void => {}
    const { queue, clock, stop, ended } = start((batch) => {
      batches.push(batch)
      return new Promise((resolve) => {
        release = resolve
      })
    })
    queue.add('a')
    await clock.advance(0)
    for (const key of ['b', 'c']) queue.add(key)
    await clock.advance(0)
    expect(batches).toEqual([['a']])
    release()
    await clock.advance(0)
    expect(batches).toEqual([['a'], ['b', 'c']])
    stop.abort()
    release()
    await ended
  })

  it('repeats a failed batch after a back-off, together with what came since', async () => {
    const batches: (readonly string[])[] = []
    const { queue, clock, stop, ended, rounds } = start(async (batch) => {
      batches.push(batch)
      if (batches.length === 1) throw new Error('the world is away')
    })
    queue.add('a')
    await clock.advance(0)
    expect(rounds()).toBe(1)
    queue.add('b')
    await clock.advance(50)
    expect(batches).toEqual([['a']])
    await clock.advance(100)
    expect(batches).toEqual([['a'], ['a', 'b']])
    stop.abort()
    await ended
  })

  it('does nothing before the caches are complete, and rejects when they never will be', async () => {
    let fail = (_error: Error): void => {}
    const batches: unknown[] = []
    const { queue, clock, ended, rounds } = start(
      async (batch) => void batches.push(batch),
      () =>
        new Promise((_resolve, reject) => {
          fail = reject
        }),
    )
    queue.add('a')
    await clock.advance(60_000)
    expect([batches, rounds()]).toEqual([[], 0])
    fail(new Error('stopped'))
    await expect(ended).rejects.toThrow('stopped')
  })

  it('ends while it waits for a change, and while it waits to try again', async () => {
    const idle = start(async () => {})
    await idle.clock.advance(0)
    idle.stop.abort()
    await idle.ended
    const failing = start(() => Promise.reject(new Error('no')))
    failing.queue.add('a')
    await failing.clock.advance(0)
    failing.stop.abort()
    await failing.ended
  })
})
