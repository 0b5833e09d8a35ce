import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RateLimits } from '../../table/index.ts'
import type { RequestView } from '../contract.ts'
import { request } from '../testing/request.ts'
import { AddressTable } from './address-table.ts'
import { LeakyBuckets } from './leaky-bucket.ts'
import { Limiter } from './limits.ts'

/** nginx's limit_req in its own thousandths: the excess of each key, and when it was counted. */
const naive = (perSecond: number, burst: number): ((key: string, nowMs: number) => boolean) => {
  const known = new Map<string, { excess: number; at: number }>()
  return (key, nowMs) => {
    const state = known.get(key)
    const excess = state === undefined ? 0 : Math.max(0, state.excess - perSecond * (nowMs - state.at) + 1000)
    if (excess > burst * 1000) return false
    known.set(key, { excess, at: nowMs })
    return true
  }
}

describe('LeakyBuckets', () => {
  it('lets 1 + burst through at once, then the rate', () => {
    const buckets = new LeakyBuckets({ perSecond: 10, burst: 5 })
    const taken = (nowMs: number): number => {
      let count = 0
      for (; buckets.mayTake('a', nowMs) && count < 100; count++) buckets.take('a', nowMs)
      return count
    }
    expect(taken(0)).toBe(6)
    expect(taken(99)).toBe(0)
    expect(taken(100)).toBe(1)
    expect(taken(1100)).toBe(6)
  })

  it("equals nginx's arithmetic for any requests", () => {
    const arrivals = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 400 })), { maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 20 }), arrivals, (perSecond, burst, steps) => {
        const buckets = new LeakyBuckets({ perSecond, burst })
        const model = naive(perSecond, burst)
        let nowMs = 0
        for (const [key, wait] of steps) {
          nowMs += wait
          const mayTake = buckets.mayTake(key, nowMs)
          if (mayTake) buckets.take(key, nowMs)
          expect(mayTake).toBe(model(key, nowMs))
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('AddressTable', () => {
  it('stays bounded and keeps what is used', () => {
    const table = new AddressTable<number>(100)
    table.set('kept', 1)
    for (let i = 0; i < 10_000; i++) {
      table.set(`a${i}`, i)
      expect(table.get('kept')).toBe(1)
      expect(table.count).toBeLessThanOrEqual(200)
    }
    expect(table.get('a0')).toBeUndefined()
    expect(table.get('a9999')).toBe(9999)
  })
})

describe('Limiter', () => {
  const limits: RateLimits = { key: 'k', requestsPerSecond: 1, burstMultiplier: 5, status: 503 }
  const from = (clientAddress: string): RequestView => request({ clientAddress })
  const limiterAt = (workers = 1) => {
    let nowMs = 0
    const limiter = new Limiter({ monotonic: () => nowMs, workers })
    return { limiter, wait: (ms: number) => (nowMs += ms) }
  }
  const letThrough = (admit: (view: RequestView) => unknown, view: RequestView, tries: number): number => {
    let count = 0
    for (let i = 0; i < tries; i++) if (admit(view) === undefined) count++
    return count
  }

  it('refuses with the status and a reason', () => {
    const { admit } = limiterAt().limiter.compile({ ...limits, burstMultiplier: 0, status: 429 })
    expect(admit(from('192.0.2.1'))).toBeUndefined()
    expect(admit(from('192.0.2.1'))).toMatchObject({ status: 429, reason: 'rate-limited' })
    expect(admit(from('192.0.2.2'))).toBeUndefined()
  })

  it('counts an IPv6 network as one client and leaves exempt ones alone', () => {
    const { admit } = limiterAt().limiter.compile({ ...limits, burstMultiplier: 0, exempt: ['10.0.0.0/8'] })
    expect(admit(from('2001:db8::1'))).toBeUndefined()
    expect(admit(from('2001:db8::2'))).toMatchObject({ status: 503 })
    expect(letThrough(admit, from('10.1.2.3'), 20)).toBe(20)
  })

  it('gives each worker its share', () => {
    const { admit } = limiterAt(4).limiter.compile({ ...limits, requestsPerSecond: 8 })
    expect(letThrough(admit, from('192.0.2.1'), 100)).toBe(1 + 10)
  })

  it('limits a minute', () => {
    const { limiter, wait } = limiterAt()
    const { admit } = limiter.compile({ key: 'k', requestsPerMinute: 6, burstMultiplier: 1, status: 503 })
    expect(letThrough(admit, from('192.0.2.1'), 100)).toBe(7)
    wait(9_999)
    expect(letThrough(admit, from('192.0.2.1'), 100)).toBe(0)
    wait(1)
    expect(letThrough(admit, from('192.0.2.1'), 100)).toBe(1)
  })

  it('goes on counting for another policy with the same key and rate, and anew for another rate', () => {
    const { limiter } = limiterAt()
    expect(letThrough(limiter.compile(limits).admit, from('192.0.2.1'), 10)).toBe(6)
    expect(letThrough(limiter.compile({ ...limits }).admit, from('192.0.2.1'), 10)).toBe(0)
    expect(letThrough(limiter.compile({ ...limits, requestsPerSecond: 2 }).admit, from('192.0.2.1'), 20)).toBe(11)
    expect(letThrough(limiter.compile({ ...limits, key: 'other' }).admit, from('192.0.2.1'), 10)).toBe(6)
  })

  it('counts requests in progress', () => {
    const { admit, release } = limiterAt().limiter.compile({ key: 'k', connections: 2, burstMultiplier: 1, status: 503 })
    const view = from('192.0.2.1')
    expect(letThrough(admit, view, 5)).toBe(2)
    expect(admit(view)).toMatchObject({ status: 503, reason: 'too-many-connections' })
    expect(admit(from('192.0.2.2'))).toBeUndefined()
    release?.(view)
    expect(letThrough(admit, view, 5)).toBe(1)
  })

  it('equals a count for any starts and ends', () => {
    const step = fc.tuple(fc.constantFrom('192.0.2.1', '192.0.2.2'), fc.boolean())
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { admit, release } = limiterAt().limiter.compile({ key: 'k', connections: 3, burstMultiplier: 1, status: 503 })
        const model = new Map<string, number>()
        for (const [address, isStart] of steps) {
          const count = model.get(address) ?? 0
          if (isStart) {
            expect(admit(from(address)) === undefined).toBe(count < 3)
            model.set(address, Math.min(3, count + 1))
          } else if (count > 0) {
            release?.(from(address))
            model.set(address, count - 1)
          }
        }
      }),
    )
  })

  it('has nothing to release without a limit of connections', () => {
    expect(limiterAt().limiter.compile(limits).release).toBeUndefined()
  })
})
