import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import { answeringPod, type RawPod, rawClient, rawPod, startEngine } from '../testing/harness.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

const keep = (pod: RawPod): RawPod => {
  cleanup.push(() => pod.close())
  return pod
}

const engineFor = async (
  ports: readonly number[],
  settings?: Partial<EngineSettings>,
): Promise<Awaited<ReturnType<typeof startEngine>>> => {
  const engine = await startEngine(ports, settings)
  cleanup.push(() => engine.stop())
  return engine
}

const connect = async (port: number): Promise<Awaited<ReturnType<typeof rawClient>>> => {
  const client = await rawClient(port)
  cleanup.push(() => client.socket.destroy())
  return client
}

describe('slow and silent clients', () => {
  it.each<[string, string, Partial<EngineSettings>, RegExp]>([
    ['a head that does not end', 'GET / HTTP/1.1\r\nHost: a\r\n', { headTimeoutMs: 400 }, /^HTTP\/1.1 408 /],
    ['a client that says nothing', '', { headTimeoutMs: 30 }, /^$/],
    [
      'a body that stops',
      'POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab',
      { bodyTimeoutMs: 30 },
      /^HTTP\/1.1 408 /,
    ],
    ['a second request that does not come', GET, { keepAliveTimeoutMs: 30 }, /ok$/],
    ['a second head that does not end', `${GET}GET /`, { headTimeoutMs: 30 }, /ok[\s\S]*HTTP\/1.1 408 /],
  ])('%s', async (_, text, settings, expected) => {
    const pod = keep(await answeringPod((head) => (head.includes('/silent') ? '' : OK)))
    const { port } = await engineFor([pod.port], settings)
    const client = await connect(port)
    client.send(text)
    expect(await client.closed()).toMatch(expected)
  })

  it('a client that does not read its answer is given up, and so is the pod’s connection', async () => {
    const pod = keep(
      await rawPod((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n')
        socket.write(Buffer.alloc(100_000_000))
      }),
    )
    const { port, dataPlane } = await engineFor([pod.port], { writeTimeoutMs: 60 })
    const client = await connect(port)
    client.socket.pause()
    client.send(GET)
    await pod.accepted(1)
    await new Promise((resolve) => pod.sockets[0]?.once('close', resolve))
    expect(dataPlane.stats.connections).toBe(0)
  })

  it('as many connections of one address as are allowed', async () => {
    const pod = keep(await answeringPod(OK))
    const { port } = await engineFor([pod.port], { maxConnectionsPerAddress: 2 })
    const [first] = [await connect(port), await connect(port)]
    const third = await connect(port)
    expect(await third.closed()).toBe('')
    first.send(GET)
    await first.until(/ok$/)
  })

  it('as many requests of one connection as are allowed', async () => {
    const pod = keep(await answeringPod(OK))
    const { port } = await engineFor([pod.port], { maxRequestsPerConnection: 2 })
    const client = await connect(port)
    client.send(GET.repeat(4))
    expect((await client.closed()).match(/HTTP/g)).toHaveLength(3)
  })

  it('a client that goes away ends the pod’s work', async () => {
    const pod = keep(await rawPod(() => {}))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send(GET)
    await pod.accepted(1)
    const gone = new Promise((resolve) => pod.sockets[0]?.once('close', resolve).once('end', resolve))
    client.socket.resetAndDestroy()
    await gone
  })
})

describe('large bodies', () => {
  const big = randomBytes(20_000_000)
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

  const httpPod = async (handler: http.RequestListener): Promise<number> => {
    const server = http.createServer(handler)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanup.push(() => {
      server.closeAllConnections()
      server.close()
    })
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  it.each([
    ['with a length', { 'content-length': big.length }],
    ['chunked', {}],
  ])('come down whole to a slow reader, %s', async (_, headers) => {
    const { port } = await engineFor([await httpPod((_request, response) => response.writeHead(200, headers).end(big))])
    const received = await new Promise<Buffer>((resolve, reject) => {
      http
        .get({ port, headers: { host: 'a' }, agent: false }, (response) => {
          const pieces: Buffer[] = []
          response.on('data', (piece: Buffer) => {
            pieces.push(piece)
            // Let the socket's buffers fill now and then.
            if (pieces.length % 50 !== 0) return
            response.pause()
            setImmediate(() => setImmediate(() => response.resume()))
          })
          response.on('end', () => resolve(Buffer.concat(pieces)))
        })
        .on('error', reject)
    })
    expect(digest(received)).toBe(digest(big))
  })

  it.each([
    ['with a length', { 'content-length': big.length }],
    ['chunked', { 'transfer-encoding': 'chunked' }],
  ])('go up whole to a slow pod, %s', async (_, headers) => {
    const podPort = await httpPod((request, response) => {
      const hash = createHash('sha256')
      let pieces = 0
      request.on('data', (piece: Buffer) => {
        hash.update(piece)
        if (++pieces % 50 !== 0) return
        request.pause()
        setImmediate(() => setImmediate(() => request.resume()))
      })
      request.on('end', () => response.end(hash.digest('hex')))
    })
    const { port } = await engineFor([podPort])
    const answer = await new Promise<string>((resolve, reject) => {
      const request = http.request({ port, method: 'PUT', headers: { host: 'a', ...headers }, agent: false }, (response) => {
        let text = ''
        response.on('data', (piece) => {
          text += piece
        })
        response.on('end', () => resolve(text))
      })
      request.on('error', reject)
      request.end(big)
    })
    expect(answer).toBe(digest(big))
  })

  it('many streams at once do not mix', async () => {
    const podPort = await httpPod((request, response) => {
      const size = 300_000 + Number(request.url?.slice(1))
      response.end(Buffer.alloc(size, Number(request.url?.slice(1)) + 1))
    })
    const { port } = await engineFor([podPort])
    const fetchOne = (i: number): Promise<boolean> =>
      new Promise((resolve, reject) => {
        http
          .get({ port, path: `/${i}`, headers: { host: 'a' }, agent: false }, (response) => {
            let size = 0
            let isPure = true
            response.on('data', (piece: Buffer) => {
              size += piece.length
              isPure &&= piece.every((byte) => byte === i + 1)
            })
            response.on('end', () => resolve(isPure && size === 300_000 + i))
          })
          .on('error', reject)
      })
    expect(await Promise.all(Array.from({ length: 60 }, (_, i) => fetchOne(i)))).toEqual(Array(60).fill(true))
  })
})

describe('WebSocket', () => {
  const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n'
  const SWITCH =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n'

  it('is tunnelled after 101, with the bytes that came with the heads', async () => {
    const pod = keep(
      await rawPod((socket, text, piece) => {
        if (!text.includes('early')) return
        if (text.endsWith('early')) socket.write(`${SWITCH}hello`)
        else socket.write(`<${piece.toString('latin1')}>`)
      }),
    )
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send(`${UPGRADE}early`)
    // The early bytes go only after the 101.
    pod.sockets[0]?.write(SWITCH)
    await pod.accepted(1)
    pod.sockets[0]?.write(SWITCH)
    expect(await client.until(/hello$/)).toMatch(
      /^HTTP\/1.1 101 [\s\S]*Sec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n/,
    )
    client.send('ping')
    await client.until(/<ping>$/)
    expect(pod.received[0]).toContain('Connection: Upgrade\r\nUpgrade: websocket\r\n')
  })

  it('keeps the other direction when one ends', async () => {
    const pod = keep(await rawPod((socket, text) => void (text.endsWith('\r\n\r\n') && socket.write(SWITCH))))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.socket.allowHalfOpen = true
    client.send(UPGRADE)
    await client.until(/\r\n\r\n$/)
    const ended = new Promise((resolve) => pod.sockets[0]?.once('end', resolve))
    client.socket.end()
    await ended
    pod.sockets[0]?.end('last words')
    expect(await client.closed()).toMatch(/last words$/)
  })

  it('stays HTTP when the pod declines', async () => {
    const pod = keep(await answeringPod('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send(UPGRADE)
    await client.until(/\r\n\r\n$/)
    client.send(GET)
    expect((await client.until(/403[\s\S]*403[\s\S]*\r\n\r\n$/)).match(/403/g)).toHaveLength(2)
  })

  it('ends when nothing is said for the tunnel’s time', async () => {
    const pod = keep(await rawPod((socket, text) => void (text.endsWith('\r\n\r\n') && socket.write(SWITCH))))
    const { port } = await engineFor([pod.port], { tunnelTimeoutMs: 40 })
    const client = await connect(port)
    client.send(UPGRADE)
    expect(await client.closed()).toMatch(/^HTTP\/1.1 101/)
  })
})

describe('stopping', () => {
  it('closes idle connections, finishes requests, and says so', async () => {
    const pod = keep(await rawPod(() => {}))
    const engine = await startEngine([pod.port], { drainTimeoutMs: 5_000 })
    const idle = await connect(engine.port)
    const busy = await connect(engine.port)
    busy.send(GET)
    await pod.accepted(1)
    const stopped = engine.stop()
    expect(await idle.closed()).toBe('')
    pod.sockets[0]?.write(OK)
    expect(await busy.closed()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    await stopped
    await expect(rawClient(engine.port)).rejects.toThrow('ECONNREFUSED')
  })

  it('gives up on what takes longer than the drain', async () => {
    const pod = keep(await rawPod(() => {}))
    const engine = await startEngine([pod.port], { drainTimeoutMs: 30 })
    const busy = await connect(engine.port)
    busy.send(GET)
    await pod.accepted(1)
    await engine.stop()
    expect(await busy.closed()).toBe('')
  })
})
