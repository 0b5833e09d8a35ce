import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RawPod, rawClient, rawPod, startEngine } from './testing/harness.ts'

const PIECES = [
  'GET / HTTP/1.1\r\n',
  'POST /a HTTP/1.1\r\n',
  'HEAD / HTTP/1.0\r\n',
  'Host: a\r\n',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Expect: 100-continue\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  'Connection: close\r\n',
  '\r\n',
  'abc',
  '3\r\nabc\r\n',
  '0\r\n\r\n',
  '\0',
  '\n',
  ' ',
]
const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nuntil',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'junk\r\n\r\n',
  '',
]

describe('any client against any pod', () => {
  let pod: RawPod
  let answer = ''
  let engine: Awaited<ReturnType<typeof startEngine>>
  beforeAll(async () => {
    pod = await rawPod((socket) => {
      if (answer === '') socket.destroy()
      else socket.write(answer)
    })
    const brief = 15
    engine = await startEngine([pod.port], {
      headTimeoutMs: brief,
      bodyTimeoutMs: brief,
      keepAliveTimeoutMs: brief,
      responseTimeoutMs: brief,
      tunnelTimeoutMs: brief,
      writeTimeoutMs: brief,
    })
  })
  afterAll(async () => {
    await engine.stop()
    pod.close()
  })

  it('ends every connection in time, holds none, and goes on serving', { timeout: 60_000 }, async () => {
    const text = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(...ANSWERS), fc.boolean(), async (pieces, reply, isSplit) => {
        answer = reply
        const client = await rawClient(engine.port)
        for (const piece of isSplit ? pieces : [pieces.join('')]) client.send(piece)
        await client.closed()
      }),
      { numRuns: 150 },
    )
    answer = ANSWERS[0] ?? ''
    const client = await rawClient(engine.port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/ok$/)
    await client.closed()
    expect(engine.dataPlane.stats.connections).toBe(0)
  })
})
