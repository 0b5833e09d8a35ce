import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { readBody } from './body.ts'

const request = (headers: Readonly<Record<string, string>> = {}) =>
  Object.assign(new PassThrough(), { headers, httpVersionMajor: 1, method: 'POST', url: '/' })

const limits = { bytes: 10, timeoutMs: 1000 }

describe('body', () => {
  test('comes whole, however it is cut', async () => {
    const stream = request()
    const body = readBody(stream, pausedClock(), limits)
    for (const chunk of ['a', 'bc', 'def']) stream.write(chunk)
    stream.end()
    expect((await body).toString()).toBe('abcdef')
  })

  test('too long by its own word is refused unread, too long in fact as soon as it is', async () => {
    await expect(readBody(request({ 'content-length': '11' }), pausedClock(), limits)).rejects.toMatchObject({ code: 413 })
    const stream = request()
    const body = readBody(stream, pausedClock(), limits)
    stream.write('x'.repeat(11))
    await expect(body).rejects.toMatchObject({ code: 413 })
  })

  test('one that trickles in is refused in the end', async () => {
    const clock = pausedClock()
    const stream = request()
    const body = readBody(stream, clock, limits)
    const refused = expect(body).rejects.toMatchObject({ code: 400, message: 'the request body did not arrive in time' })
    for (let second = 0; second < 3; second++) {
      stream.write('x')
      await clock.advance(400)
    }
    await refused
  })

  test('one that breaks off is refused', async () => {
    const stream = request()
    const body = readBody(stream, pausedClock(), limits)
    stream.destroy(new Error('reset'))
    await expect(body).rejects.toMatchObject({ code: 400, message: 'the request body broke off: reset' })
  })
})
