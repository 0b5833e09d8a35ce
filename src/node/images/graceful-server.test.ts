import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { createGracefulServer, type GracefulServer } from './graceful-server.ts'

const REQUEST = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
const LIMIT_MS = 200

const open = new Set<{ destroy(): unknown }>()
const running = new Set<GracefulServer>()
afterEach(() => {
  for (const socket of open) socket.destroy()
  for (const { server } of running) server.close()
  open.clear()
  running.clear()
})

const start = async (handler: RequestListener = (_, response) => response.end('ok')) => {
  const graceful = createGracefulServer(handler, LIMIT_MS)
  running.add(graceful)
  graceful.server.listen(0, '127.0.0.1')
  await once(graceful.server, 'listening')
  // It listens on TCP.
  const { port } = graceful.server.address() as AddressInfo
  return { ...graceful, port, closed: once(graceful.server, 'close') }
}

interface Client {
  readonly socket: Socket
  /** What came, after the server closed; rejects when the connection was reset. */
  readonly all: Promise<string>
  /** Resolves when this was received. */
  received(text: string): Promise<void>
}

const client = (port: number): Client => {
  const socket = connect({ port, host: '127.0.0.1' })
  open.add(socket)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  const all = new Promise<string>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('end', () => resolve(text))
  })
  all.catch(() => {})
  return {
    socket,
    all,
    async received(wanted) {
      while (!text.includes(wanted)) await once(socket, 'data')
    },
  }
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}

const kept = async (port: number): Promise<Client> => {
  const one = client(port)
  one.socket.write(REQUEST)
  await one.received('ok')
  return one
}

describe('a server that ends', () => {
  it('closes idle connections by FIN, and is closed when they are', async () => {
    const { end, port, closed } = await start()
    const clients = await Promise.all(Array.from({ length: 20 }, () => kept(port)))
    end()
    for (const { all } of clients) expect((await all).match(/HTTP\/1\.1/g)).toHaveLength(1)
    await closed
  })

  it.each([0, 1, 2, 3])('answers a request that comes %d turns later on a kept connection, or ends cleanly', async (later) => {
    for (let round = 0; round < 20; round++) {
      const { end, port, closed } = await start()
      const one = await kept(port)
      end()
      await turns(later)
      one.socket.write(REQUEST)
      const answers = (await one.all).match(/HTTP\/1\.1/g)?.length
      // What came before the close is answered.
      expect(later === 0 ? [2] : [1, 2]).toContain(answers)
      await closed
    }
  })

  it('answers what is in flight, and says that the connection closes', async () => {
    let answer: () => void = () => {}
    const { end, port, server, closed } = await start((_, response) => {
      answer = () => response.end('late')
    })
    const one = client(port)
    one.socket.write(REQUEST)
    await once(server, 'request')
    end()
    await turns(3)
    answer()
    expect(await one.all).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nConnection: close\r\n[\s\S]*late$/)
    await closed
  })

  it('answers the first request of a connection that came before', async () => {
    const { end, port, server } = await start()
    const one = client(port)
    await once(server, 'connection')
    end()
    one.socket.write(REQUEST)
    expect(await one.all).toMatch(/\r\nConnection: close\r\n[\s\S]*ok$/)
  })

  it('answers every connection that the kernel held ready when it began to end', async () => {
    for (let round = 0; round < 20; round++) {
      const { end, port, closed } = await start()
      const clients = Array.from({ length: 20 }, () => client(port))
      // The kernel completes these before a turn of this process accepts them.
      await Promise.all(clients.map(({ socket }) => once(socket, 'connect')))
      for (const { socket } of clients) socket.write(REQUEST)
      end()
      for (const { all } of clients) expect(await all).toContain('ok')
      await closed
    }
  })

  it('refuses connections that come later', async () => {
    const { end, port, closed } = await start()
    end()
    await closed
    await expect(client(port).all).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('does not wait for ever for clients that never close or never ask', async () => {
    const { end, port, server, closed } = await start()
    const stubborn = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    open.add(stubborn.on('error', () => {}))
    stubborn.write(REQUEST)
    await once(stubborn, 'data')
    client(port)
    await once(server, 'connection')
    end()
    await closed
  })
})

describe('a server that leaves', () => {
  it('still accepts and answers, and every answer says that the connection closes', async () => {
    const { leave, port } = await start()
    const before = await kept(port)
    leave()
    before.socket.write(REQUEST)
    const after = await kept(port)
    expect((await before.all).match(/\r\nConnection: [a-z-]+/g)).toEqual(['\r\nConnection: keep-alive', '\r\nConnection: close'])
    expect(await after.all).toMatch(/\r\nConnection: close\r\n/)
  })
})
