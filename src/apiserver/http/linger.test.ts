import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { closeLingering } from './linger.ts'

const open = new Set<{ destroy(): unknown }>()
afterEach(() => {
  for (const socket of open) socket.destroy()
  open.clear()
})

/** Both ends of a connection. */
const pair = async (): Promise<{ readonly server: Socket; readonly client: Socket }> => {
  const listener = createServer({ allowHalfOpen: true })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [server]: Socket[] = await once(listener, 'connection')
  listener.close()
  if (server === undefined) throw new Error('no connection')
  for (const socket of [server, client]) open.add(socket.on('error', () => {}))
  return { server, client }
}

const LIMITS = { bytes: 100_000, timeMs: 1000 }

describe('a lingering close', () => {
  test('says everything, then waits for the client to close', async () => {
    const { server, client } = await pair()
    client.write('x'.repeat(50_000))
    server.write('answer')
    closeLingering(server, pausedClock(), LIMITS)
    const [text] = await once(client, 'data')
    await once(client, 'end')
    expect([String(text), server.destroyed]).toEqual(['answer', false])
    client.end('y'.repeat(10_000))
    const [hadError] = await once(server, 'close')
    expect(hadError).toBe(false)
  })

  test('ends at its limit of time', async () => {
    const { server, client } = await pair()
    const clock = pausedClock()
    closeLingering(server, clock, LIMITS)
    await once(client.resume(), 'end')
    await clock.advance(LIMITS.timeMs - 1)
    expect(server.destroyed).toBe(false)
    await clock.advance(1)
    expect(server.destroyed).toBe(true)
  })

  test('ends at its limit of bytes', async () => {
    const { server, client } = await pair()
    closeLingering(server, pausedClock(), LIMITS)
    client.write('x'.repeat(LIMITS.bytes + 1))
    await once(server, 'close')
    expect(server.bytesRead).toBeGreaterThan(LIMITS.bytes)
  })

  test('begins once', async () => {
    const { server, client } = await pair()
    const clock = pausedClock()
    closeLingering(server, clock, LIMITS)
    await once(client.resume(), 'end')
    await clock.advance(LIMITS.timeMs / 2)
    closeLingering(server, clock, LIMITS)
    await clock.advance(LIMITS.timeMs / 2)
    expect(server.destroyed).toBe(true)
  })
})
