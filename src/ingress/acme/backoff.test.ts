import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counted, defaultBackoff, delayAfter, type FailureKind, noFailures } from './backoff.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const kinds = fc.constantFrom<FailureKind>('unreachable', 'rate-limited', 'refused')

describe('the wait after a failure', () => {
  it.each<[FailureKind, readonly number[]]>([
    ['refused', [5, 15, 45, 135, 405, 1_215, 1_440, 1_440]],
    ['unreachable', [0.5, 1, 2, 4, 8, 16, 32, 60, 60]],
    ['rate-limited', [30, 60, 120, 240, 480, 960, 1_440]],
  ])('%s: %j minutes', (kind, minutes) => {
    let failures = noFailures
    for (const expected of minutes) {
      failures = counted(failures, kind)
      expect(delayAfter({ kind, failures, random: 0 })).toBe(expected * MINUTE)
    }
  })

  it('an outage does not make a host that was refused less suspect', () => {
    const failures = counted(counted(counted(noFailures, 'refused'), 'unreachable'), 'refused')
    expect(failures).toEqual({ refused: 2, others: 0 })
  })

  it('is never shorter than what the server asked for, and never longer than a week and a fifth', () => {
    const input = fc.record({
      kind: kinds,
      failures: fc.record({ refused: fc.nat(10_000), others: fc.nat(10_000) }),
      retryAfterMs: fc.nat(100 * 24 * HOUR),
      random: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(input, (each) => {
        const week = 7 * 24 * HOUR
        const delay = delayAfter(each)
        expect(delay).toBeGreaterThanOrEqual(Math.min(each.retryAfterMs, week))
        expect(delay).toBeGreaterThanOrEqual(defaultBackoff[each.kind].firstMs)
        expect(delay).toBeLessThanOrEqual(week * 1.2 + 1)
      }),
    )
  })

  it('no hour sees more than four refused validations of a host, whatever happens in between', () => {
    const steps = fc.array(fc.tuple(kinds, fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(steps, (all) => {
        let failures = noFailures
        let now = 0
        const refused: number[] = []
        for (const [kind, random] of all) {
          if (kind === 'refused') refused.push(now)
          failures = counted(failures, kind)
          now += delayAfter({ kind, failures, random })
        }
        for (const from of refused) expect(refused.filter((at) => at >= from && at < from + HOUR).length).toBeLessThanOrEqual(4)
      }),
    )
  })
})
