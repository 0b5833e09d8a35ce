import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beginTrace, readTraceParent, traceParentOf } from './trace-context.ts'

const ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('traceparent', () => {
  it.each([
    [`00-${ID}-${SPAN}-01`, true],
    [`00-${ID}-${SPAN}-00`, false],
    [`00-${ID}-${SPAN}-03`, true],
    [`01-${ID}-${SPAN}-01-what-a-later-version-adds`, true],
    [`cc-${ID}-${SPAN}-01`, true],
  ])('%s is gone on with', (value, isSampled) => {
    expect(readTraceParent(value)).toEqual({ traceId: ID, parentId: SPAN, isSampled })
  })

  it.each([
    [undefined],
    [''],
    [`ff-${ID}-${SPAN}-01`],
    [`00-${ID}-${SPAN}-01-more`],
    [`00-${ID}-${SPAN}-1`],
    [`00-${'0'.repeat(32)}-${SPAN}-01`],
    [`00-${ID}-${'0'.repeat(16)}-01`],
    [`00-${ID.toUpperCase()}-${SPAN}-01`],
    [`00-${ID.slice(1)}-${SPAN}-01`],
    [`00-${ID}-${SPAN}-01, 00-${ID}-${SPAN}-01`],
    [` 00-${ID}-${SPAN}-01`],
  ])('%s begins a new trace', (value) => {
    expect(readTraceParent(value)).toBeUndefined()
    expect(beginTrace(value, 1)).toMatchObject({ parentId: '', isSampled: true })
  })

  it('writes what it reads, whatever is sampled', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (sample) => {
        const trace = beginTrace(undefined, sample)
        const read = readTraceParent(traceParentOf(trace))
        expect(read).toEqual({ traceId: trace.traceId, parentId: trace.spanId, isSampled: trace.isSampled })
      }),
    )
  })

  it('never gives one identifier twice', () => {
    const spans = Array.from({ length: 5_000 }, () => beginTrace(undefined, 0).spanId)
    expect(new Set(spans).size).toBe(spans.length)
  })
})
