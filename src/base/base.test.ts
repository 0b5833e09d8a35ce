import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createBackoff, createLogger, errorCode, errorMessage, realClock, sleep, UserError, VERSION } from './index.ts'
import { pausedClock } from './testing/paused-clock.ts'

describe('back-off', () => {
  it('doubles up to its ceiling, and starts again when it is reset', () => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 500 })
    expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([100, 200, 400, 500, 500])
    backoff.reset()
    expect(backoff.next()).toBe(100)
  })

  it.each([
    [0, 80],
    [0.5, 100],
    [1, 120],
  ])('spreads by its jitter: chance %d gives %d', (chance, expected) => {
    expect(createBackoff({ initialMs: 100, maxMs: 500, jitter: 0.2 }, () => chance).next()).toBe(expected)
  })
})

describe('sleep', () => {
  it('ends at its time', async () => {
    const clock = pausedClock()
    let over = false
    const sleeping = sleep(clock, 1_000, new AbortController().signal).then(() => {
      over = true
    })
    await clock.advance(999)
    expect(over).toBe(false)
    await clock.advance(1)
    await sleeping
  })

  it.each(['before', 'meanwhile'])('ends at once when its signal was aborted %s', async (when) => {
    const stop = new AbortController()
    if (when === 'before') stop.abort()
    const sleeping = sleep(realClock, 3_600_000, stop.signal)
    stop.abort()
    await sleeping
  })
})

describe('the log', () => {
  it('is one JSON object a line, in a file that nobody else can read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fairway-log-'))
    const path = join(folder, 'new', 'fairway.log')
    const log = createLogger({ level: 'info', path }).child({ part: 'test' })
    log.info('something happened', { key: 'default/web\n{}' })
    log.debug('not written')
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ part: 'test', msg: 'something happened', key: 'default/web\n{}' }),
    ])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await rm(folder, { recursive: true })
  })
})

describe('errors', () => {
  it.each([
    [new Error('boom'), 'boom', undefined],
    [Object.assign(new Error('taken'), { code: 'EADDRINUSE' }), 'taken', 'EADDRINUSE'],
    ['text', 'text', undefined],
    [undefined, 'undefined', undefined],
    [{ code: 5 }, '[object Object]', undefined],
  ])('%s has its text and code', (error, text, code) => {
    expect([errorMessage(error), errorCode(error)]).toEqual([text, code])
  })

  it('a UserError ends the program with 1 unless it says otherwise', () => {
    expect([new UserError('a').exitCode, new UserError('b', { exitCode: 2 }).exitCode]).toEqual([1, 2])
  })
})

it('the version is the one of the package', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(VERSION).toBe(version)
})
