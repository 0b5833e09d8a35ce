import { CommanderError } from 'commander'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ApiError } from '../api/index.ts'
import { UserError } from '../base/index.ts'
import { ConnectionError } from '../client/index.ts'
import { printFailure } from './failure.ts'

afterEach(() => vi.restoreAllMocks())

describe('printFailure', () => {
  it.each([
    [new UserError('port 80 is in use'), 1, 'fairway: port 80 is in use'],
    [new UserError('--x: no', { exitCode: 2 }), 2, 'fairway: --x: no'],
    [new UserError('two\nlines'), 1, 'fairway: two lines'],
    [
      new ApiError({ code: 404, reason: 'NotFound', message: 'services "a" not found' }),
      1,
      'fairway: error from server (NotFound): services "a" not found',
    ],
    [new ConnectionError('no answer'), 1, 'fairway: no answer; "fairway status" tells what runs'],
    [new Error('oops'), 70, 'fairway: internal error: oops (a bug; FAIRWAY_DEBUG=1 prints where)'],
    ['thrown text', 70, 'fairway: internal error: thrown text (a bug; FAIRWAY_DEBUG=1 prints where)'],
  ])('%s is one line and exit code %i', (error, code, line) => {
    const lines: string[] = []
    vi.spyOn(console, 'error').mockImplementation((text: string) => void lines.push(text))
    expect(printFailure(error)).toBe(code)
    expect(lines).toEqual([line])
  })

  it.each([
    [0, 0],
    [1, 2],
  ])('leaves what commander printed alone: its %i is our %i', (theirs, ours) => {
    expect(printFailure(new CommanderError(theirs, 'x', 'printed already'))).toBe(ours)
  })
})
