import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadlines } from '../../deadlines.ts'
import { defaultSettings } from '../../settings.ts'
import { Ejection, type Outcome } from './ejection.ts'

const TICK_MS = 100
let deadlines: Deadlines
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  deadlines = new Deadlines(TICK_MS)
  pass(1_000)
})
afterEach(() => {
  deadlines.stop()
  vi.useRealTimers()
})
const pass = (ms: number): void => void vi.advanceTimersByTime(ms)

const ejection = (settings: Partial<typeof defaultSettings> = {}): Ejection =>
  new Ejection({ ...defaultSettings, ...settings }, deadlines, () => {})

const tell = (to: Ejection, ...outcomes: readonly Outcome[]): void => {
  for (const outcome of outcomes) to.observe(outcome)
}
const repeat = (times: number, ...outcomes: readonly Outcome[]): Outcome[] => Array.from({ length: times }, () => outcomes).flat()

describe('what speaks against an endpoint', () => {
  it.each<[string, readonly Outcome[], boolean]>([
    ['four failures', repeat(4, 'failed'), false],
    ['five failures in a row', repeat(5, 'failed'), true],
    ['an answer between them', [...repeat(4, 'failed'), 'ok', ...repeat(4, 'failed')], false],
    ['a refused connect', ['refused'], false],
    ['two in a row', ['refused', 'refused'], true],
    ['two with an answer between', ['refused', 'ok', 'refused'], false],
    ['two with another failure between', ['refused', 'failed', 'refused'], false],
    ['refused connects count as failures too', ['failed', 'failed', 'refused', 'failed', 'refused'], true],
    ['19 bad answers', repeat(19, 'bad'), false],
    ['20 bad answers', repeat(20, 'bad'), true],
    ['16 bad answers of 20', [...repeat(4, 'ok'), ...repeat(16, 'bad')], true],
    ['15 bad answers of 20', [...repeat(5, 'ok'), ...repeat(15, 'bad')], false],
  ])('%s', (_, outcomes, isEjected) => {
    const one = ejection()
    tell(one, ...outcomes)
    expect(one.failingSinceMs > 0).toBe(isEjected)
  })

  it('counts the ratio of one window, not of all time', () => {
    const one = ejection()
    tell(one, ...repeat(15, 'bad'))
    pass(10_100)
    tell(one, ...repeat(15, 'bad'))
    expect(one.failingSinceMs).toBe(0)
  })

  it.each<[string, Partial<typeof defaultSettings>, Outcome]>([
    ['failures', { ejectAfterFailures: 0, ejectRatio: 0 }, 'failed'],
    ['bad answers', { ejectRatio: 0 }, 'bad'],
    ['refused connects', { ejectAfterFailures: 0, ejectAfterRefused: 0, ejectRatio: 0 }, 'refused'],
  ])('settings of 0 let %s pass', (_, settings, outcome) => {
    const one = ejection(settings)
    tell(one, ...repeat(100, outcome))
    expect(one.failingSinceMs).toBe(0)
  })
})

describe('the way back', () => {
  it('is one probe after the time, which must succeed', () => {
    const one = ejection()
    tell(one, 'refused', 'refused')
    pass(9_900)
    expect(one.isDue).toBe(false)
    pass(200)
    expect(one.isDue).toBe(true)
    one.beginProbe()
    expect([one.isDue, one.failingSinceMs > 0]).toEqual([false, true])
    tell(one, 'ok')
    expect([one.isDue, one.failingSinceMs]).toEqual([false, 0])
  })

  it.each<Outcome>(['bad', 'failed', 'refused'])('takes longer each time that a probe is %s, up to the maximum', (outcome) => {
    const one = ejection({ maxEjectionMs: 35_000 })
    tell(one, 'refused', 'refused')
    for (const ms of [10_000, 20_000, 30_000, 35_000, 35_000]) {
      pass(ms - TICK_MS)
      expect(one.isDue).toBe(false)
      pass(2 * TICK_MS)
      expect(one.isDue).toBe(true)
      one.beginProbe()
      tell(one, outcome)
    }
  })

  it('forgets one ejection for each ejection time of good service', () => {
    const one = ejection()
    const ejectAndProbe = (forMs: number): void => {
      tell(one, 'refused', 'refused')
      pass(forMs - TICK_MS)
      expect(one.isDue).toBe(false)
      pass(2 * TICK_MS)
      expect(one.isDue).toBe(true)
      one.beginProbe()
      tell(one, 'ok')
    }
    ejectAndProbe(10_000)
    ejectAndProbe(20_000)
    ejectAndProbe(30_000)
    pass(25_000)
    ejectAndProbe(20_000)
    pass(60_000)
    ejectAndProbe(10_000)
  })

  it('is open to another probe when the first was given up', () => {
    const one = ejection()
    tell(one, 'refused', 'refused')
    pass(10_100)
    one.beginProbe()
    pass(10_100)
    expect(one.isDue).toBe(true)
  })

  it('is not shortened or made longer by older requests that end meanwhile', () => {
    const one = ejection()
    tell(one, 'refused', 'refused', 'ok', 'failed', 'ok', 'refused', 'refused', 'refused')
    expect(one.failingSinceMs).toBeGreaterThan(0)
    pass(10_100)
    expect(one.isDue).toBe(true)
    tell(one, 'ok')
    expect(one.isDue).toBe(true)
  })

  it('leaves no deadline behind', () => {
    const one = ejection()
    tell(one, 'refused', 'refused')
    one.stop()
    pass(60_000)
    expect(one.isDue).toBe(false)
  })
})

/** The same rules over the list of everything that happened, without windows of the ratio. */
class Model {
  failures = 0
  refused = 0
  times = 0
  phase: 'trusted' | 'ejected' | 'due' | 'probing' = 'trusted'
  untilMs = 0
  trustedSinceMs = 0

  observe(outcome: Outcome, nowMs: number): void {
    if (this.phase === 'probing' && outcome === 'ok')
      Object.assign(this, { phase: 'trusted', failures: 0, refused: 0, trustedSinceMs: nowMs })
    else if (this.phase === 'probing') this.#eject(nowMs)
    else if (this.phase === 'trusted') {
      this.failures = outcome === 'ok' ? 0 : this.failures + (outcome === 'bad' ? 0 : 1)
      this.refused = outcome === 'refused' ? this.refused + 1 : 0
      if (this.failures < 5 && this.refused < 2) return
      this.times = Math.max(0, this.times - Math.floor((nowMs - this.trustedSinceMs) / 10_000))
      this.#eject(nowMs)
    }
  }

  tick(nowMs: number): void {
    if ((this.phase === 'ejected' || this.phase === 'probing') && nowMs >= this.untilMs) this.phase = 'due'
  }

  probe(nowMs: number): void {
    if (this.phase !== 'due') return
    this.phase = 'probing'
    this.untilMs = nowMs + 10_000
  }

  #eject(nowMs: number): void {
    this.times++
    this.phase = 'ejected'
    this.untilMs = nowMs + Math.min(10_000 * this.times, 300_000)
  }
}

it('equals the model over any history', () => {
  const step = fc.oneof(
    fc.record({ outcome: fc.constantFrom<Outcome>('ok', 'bad', 'failed', 'refused') }),
    fc.record({ passMs: fc.constantFrom(TICK_MS, 5_000, 10_000, 25_000) }),
    fc.constant({ isProbe: true }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const one = ejection({ ejectRatio: 0 })
      const model = new Model()
      for (const next of steps) {
        if ('outcome' in next) {
          one.observe(next.outcome)
          model.observe(next.outcome, deadlines.nowMs)
        } else if ('passMs' in next) {
          for (let ms = 0; ms < next.passMs; ms += TICK_MS) {
            pass(TICK_MS)
            model.tick(deadlines.nowMs)
          }
        } else {
          if (one.isDue) one.beginProbe()
          model.probe(deadlines.nowMs)
        }
        expect([one.isDue, one.failingSinceMs > 0]).toEqual([model.phase === 'due', model.phase !== 'trusted'])
      }
      one.stop()
    }),
    { numRuns: 200 },
  )
})
