import type { ServerHttp2Stream } from 'node:http2'
import { constants } from 'node:http2'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { END_HEADERS, END_STREAM, fieldSection, frame, Type, uint32 } from '../../http2/testing/frames.ts'
import type { EngineSettings } from '../../settings.ts'
import type { Backend, TableDelta } from '../../table/index.ts'
import { type RawPod, rawClient, rawPod, startEngine } from '../../testing/harness.ts'
import { answerOk, type Http2Pod, http2Pod, type OnStream } from './testing/pod.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

type Started = Awaited<ReturnType<typeof startEngine>>

const h2c = (...ports: readonly number[]): TableDelta => {
  const backend: Backend = { protocol: 'h2c', endpoints: ports.map((port) => ({ address: '127.0.0.1', port })) }
  return { backends: new Map([['pods', backend]]) }
}

const engineFor = async (ports: readonly number[], settings: Partial<EngineSettings> = {}): Promise<Started> => {
  const engine = await startEngine([], settings, { delta: h2c(...ports) })
  cleanup.push(() => engine.stop())
  return engine
}

const pod = async (onStream: OnStream, options: Parameters<typeof http2Pod>[1] = {}): Promise<Http2Pod> => {
  const started = await http2Pod(onStream, options)
  cleanup.push(() => started.close())
  return started
}

/** One request of an HTTP/1.1 client of its own, and the whole answer. */
const ask = async (engine: Started, request = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'): Promise<string> => {
  const client = await rawClient(engine.port)
  client.send(request)
  return client.closed()
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise(setImmediate)
}

const POST = 'POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello'
const echo: OnStream = (stream) => {
  stream.respond({ ':status': 200 })
  stream.pipe(stream)
}

describe('a request', () => {
  it('reaches an h2c pod with its fields, and the answer the client', async () => {
    const seen = await pod((stream) => {
      stream.respond({
        ':status': 201,
        'x-a': ['1', '2'],
        'set-cookie': ['a', 'b'],
        'content-length': 2,
        date: 'Thu, 01 Jan 2026 00:00:00 GMT',
      })
      stream.end('ok')
    })
    const answer = await ask(
      await engineFor([seen.port]),
      'GET /x?y HTTP/1.1\r\nHost: a.test\r\nX-Two: 1\r\nX-Two: 2\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n',
    )
    expect(answer).toBe(
      'HTTP/1.1 201 OK\r\nx-a: 1\r\nx-a: 2\r\nset-cookie: a\r\nset-cookie: b\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    )
    expect(seen.requests[0]).toMatchObject({
      ':method': 'GET',
      ':path': '/x?y',
      ':authority': 'a.test',
      ':scheme': 'http',
      'x-two': '1, 2',
      te: 'trailers',
      'x-forwarded-for': '127.0.0.1',
    })
    expect(seen.requests[0]).not.toHaveProperty('connection')
  })

  it('brings its body, with a length or in chunks', async () => {
    const engine = await engineFor([(await pod(echo)).port])
    expect(await ask(engine, POST)).toMatch(/5\r\nhello\r\n0\r\n\r\n$/)
    const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
    expect(await ask(engine, chunked)).toMatch(/3\r\nabc\r\n0\r\n\r\n$/)
  })

  it('brings its trailers, and hears those of the answer', async () => {
    const seen = await pod((stream) => {
      stream.once('trailers', (trailers) => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-heard': String(trailers['x-sum']) }))
        stream.end('ok')
      })
      stream.resume()
    })
    const answer = await ask(
      await engineFor([seen.port]),
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n',
    )
    expect(answer).toMatch(/2\r\nok\r\n0\r\nx-heard: 3\r\n\r\n$/)
  })

  it('to HEAD, and answers without a body', async () => {
    const statuses: Record<string, number> = { '/204': 204, '/304': 304 }
    const engine = await engineFor([
      (
        await pod((stream, fields) => {
          const status = statuses[String(fields[':path'])]
          if (status === undefined) stream.respond({ ':status': 200, 'content-length': 50 }, { endStream: true })
          else stream.respond({ ':status': status }, { endStream: true })
        })
      ).port,
    ])
    expect(await ask(engine, 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(
      /Content-Length: 50\r\nConnection: close\r\n\r\n$/,
    )
    expect(await ask(engine, 'GET /204 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 204 No Content\r\n/,
    )
    expect(await ask(engine, 'GET /304 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 304 /)
  })

  it('hears 103 before its answer', async () => {
    const seen = await pod((stream, fields) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' })
      answerOk(stream, fields)
    })
    expect(await ask(await engineFor([seen.port]))).toMatch(/^HTTP\/1.1 103 .*\r\nlink: <\/a>\r\n\r\nHTTP\/1.1 200 /)
  })

  it('for a WebSocket is refused', async () => {
    const engine = await engineFor([(await pod(answerOk)).port])
    const answer = await ask(
      engine,
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1.1 502 /)
  })
})

describe('connections', () => {
  it('carry requests at the same time, up to what the pod takes; then there is another', async () => {
    const held: ServerHttp2Stream[] = []
    const seen = await pod((stream) => void held.push(stream), { settings: { maxConcurrentStreams: 4 } })
    const engine = await engineFor([seen.port])
    const first = ask(engine)
    await until(() => held.length === 1)
    const others = Array.from({ length: 9 }, () => ask(engine))
    await until(() => held.length === 10)
    expect(seen.sessions.length).toBe(3)
    for (const stream of held) answerOk(stream, {})
    for (const answer of await Promise.all([first, ...others])) expect(answer).toMatch(/^HTTP\/1.1 200 /)
  })

  it('are closed when idle', async () => {
    const seen = await pod(answerOk)
    const engine = await engineFor([seen.port], { upstreamHttp2IdleTimeoutMs: 50 })
    await ask(engine)
    await new Promise((resolve) => seen.sessions[0]!.on('close', resolve))
    expect(await ask(engine)).toMatch(/^HTTP\/1.1 200 /)
  })

  it('of an endpoint that is gone finish what they carry', async () => {
    let held: ServerHttp2Stream | undefined
    const seen = await pod((stream) => {
      held = stream
    })
    const engine = await engineFor([seen.port])
    const answer = ask(engine)
    await until(() => held !== undefined)
    engine.dataPlane.update(h2c())
    const closed = new Promise((resolve) => seen.sessions[0]!.on('close', resolve))
    answerOk(held!, {})
    expect(await answer).toMatch(/^HTTP\/1.1 200 /)
    await closed
  })

  it('that are silent are asked for a sign of life beside the next request', async () => {
    const silenced: net.Socket[] = []
    const seen = await pod(answerOk)
    // Between engine and pod: it stops to pass bytes on without a word.
    const between = net.createServer((socket) => {
      const to = net.connect(seen.port, '127.0.0.1')
      socket.pipe(to).pipe(socket)
      for (const each of [socket, to]) each.on('error', () => {})
      silenced.push(socket, to)
      cleanup.push(() => [socket, to].forEach((each) => void each.destroy()))
    })
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
    cleanup.push(() => between.close())
    const engine = await engineFor([(between.address() as net.AddressInfo).port], {
      upstreamPingAfterMs: 30,
      connectTimeoutMs: 100,
    })
    expect(await ask(engine)).toMatch(/^HTTP\/1.1 200 /)
    for (const each of silenced.splice(0)) each.unpipe().pause()
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await ask(engine)).toMatch(/^HTTP\/1.1 200 /)
    expect(seen.sessions.length).toBe(2)
  })
})

describe('nothing is lost', () => {
  it.each<[string, string]>([
    ['GET', 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'],
    ['POST with its body', POST],
  ])('when a pod refuses a stream: %s goes to another', async (_what, request) => {
    const refusing = await pod((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM))
    const echoing = await pod(echo)
    const engine = await engineFor([refusing.port, echoing.port])
    for (let i = 0; i < 4; i++) expect(await ask(engine, request)).toMatch(/^HTTP\/1.1 200 /)
    expect(refusing.requests.length).toBeGreaterThan(0)
    if (request === POST) expect(await ask(engine, request)).toContain('hello')
  })

  it('in a rolling swap of endpoints under load', async () => {
    const engine = await engineFor([])
    let pods: Http2Pod[] = []
    const swap = async (): Promise<void> => {
      const before = pods
      pods = [await pod(echo), await pod(echo)]
      engine.dataPlane.update(h2c(...pods.map(({ port }) => port)))
      for (const old of before) old.drain()
    }
    await swap()
    let isDone = false
    let answered = 0
    const bad: string[] = []
    const load = async (): Promise<void> => {
      while (!isDone) {
        const answer = await ask(engine, POST)
        if (/^HTTP\/1.1 200 OK\r\n/.test(answer) && answer.endsWith('5\r\nhello\r\n0\r\n\r\n')) answered++
        else bad.push(answer)
      }
    }
    const loads = Array.from({ length: 8 }, load)
    for (let round = 0; round < 8; round++) {
      const target = answered + 50
      await until(() => answered >= target || bad.length > 0)
      await swap()
    }
    isDone = true
    await Promise.all(loads)
    expect(bad).toEqual([])
    expect(answered).toBeGreaterThan(400)
  }, 60_000)

  it('but a request that a pod may have taken is not sent twice', async () => {
    const dying = await pod((stream) => stream.session?.destroy())
    const other = await pod(echo)
    const engine = await engineFor([dying.port, other.port], { ejectAfterFailures: 0 })
    const answers = [await ask(engine, POST), await ask(engine, POST)]
    expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 502 ') && answer.includes('upstream-reset')).length).toBe(1)
  })
})

describe('a pod that fails', () => {
  const PREFACE_BYTES = 24
  const SETTINGS = frame(Type.settings, 0, 0)
  /** Speaks frames: `answer` gets the number of each new stream. */
  const framePod = (answer: (id: number) => Buffer): Promise<RawPod> => {
    const seen = new WeakMap<net.Socket, number>()
    return rawPod((socket, text) => {
      if (!seen.has(socket)) socket.write(SETTINGS)
      const heads = streamsOf(Buffer.from(text, 'latin1'))
      for (const id of heads.slice(seen.get(socket) ?? 0)) socket.write(answer(id))
      seen.set(socket, heads.length)
    })
  }
  const streamsOf = (bytes: Buffer): number[] => {
    const ids: number[] = []
    for (let at = PREFACE_BYTES; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3))
      if (bytes[at + 3] === Type.headers) ids.push(bytes.readUInt32BE(at + 5))
    return ids
  }
  const head = (id: number, fields: readonly (readonly [string, string])[], flags = END_HEADERS): Buffer =>
    frame(Type.headers, flags, id, fieldSection(fields))
  const OK: readonly [string, string] = [':status', '200']

  it.each<[string, (id: number) => Buffer]>([
    ['no status', (id) => head(id, [['x-a', 'b']])],
    ['a status that is none', (id) => head(id, [[':status', '99']])],
    ['101', (id) => head(id, [[':status', '101']])],
    ['two statuses', (id) => head(id, [OK, OK])],
    ['a field of connections', (id) => head(id, [OK, ['connection', 'close']])],
    ['Transfer-Encoding', (id) => head(id, [OK, ['transfer-encoding', 'chunked']])],
    ['a name in upper case', (id) => head(id, [OK, ['X-Upper', 'a']])],
    ['two lengths', (id) => head(id, [OK, ['content-length', '1'], ['content-length', '2']])],
    ['17 interim answers', (id) => Buffer.concat(Array.from({ length: 17 }, () => head(id, [[':status', '103']])))],
  ])('with %s: 502', async (_what, answer) => {
    const bad = await framePod(answer)
    cleanup.push(() => bad.close())
    const text = await ask(await engineFor([bad.port], { maxTries: 1 }))
    expect(text).toMatch(
      /HTTP\/1.1 502 Bad Gateway\r\nContent-Type: text\/plain; charset=utf-8\r\nX-Fairway-Reason: upstream-(?:invalid-response|reset)/,
    )
  })

  it.each<[string, (id: number) => Buffer]>([
    [
      'is longer than its length',
      (id) => Buffer.concat([head(id, [OK, ['content-length', '2']]), frame(Type.data, END_STREAM, id, Buffer.from('abc'))]),
    ],
    [
      'is shorter than its length',
      (id) => Buffer.concat([head(id, [OK, ['content-length', '9']]), frame(Type.data, END_STREAM, id, Buffer.from('abc'))]),
    ],
    [
      'ends in a reset without an error',
      (id) =>
        Buffer.concat([
          head(id, [OK, ['content-length', '9']]),
          frame(Type.data, 0, id, Buffer.from('abc')),
          frame(Type.reset, 0, id, uint32(0)),
        ]),
    ],
    [
      'ends in a reset',
      (id) => Buffer.concat([head(id, [OK]), frame(Type.data, 0, id, Buffer.from('abc')), frame(Type.reset, 0, id, uint32(2))]),
    ],
  ])('with a body that %s: never a whole answer', async (_what, answer) => {
    const bad = await framePod(answer)
    cleanup.push(() => bad.close())
    const text = await ask(await engineFor([bad.port], { maxTries: 1 }))
    expect(text).not.toMatch(/0\r\n\r\n$|Content-Length: 9\r\n.*\r\n\r\n.{9}$/s)
    if (text.includes('200 OK\r\ncontent-length: 2')) expect(text).not.toMatch(/\r\n\r\nab$/)
  })

  it.each<[string, (socket: net.Socket) => void, string]>([
    ['speaks HTTP/1.1', (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), '502 upstream-invalid-response'],
    ['closes at once', (socket) => void socket.end(), '502 upstream-invalid-response'],
    ['says nothing', () => {}, '504 upstream-connect-timeout'],
  ])('as it %s: %s', async (_what, act, expected) => {
    const bad = await rawPod((socket) => act(socket))
    cleanup.push(() => bad.close())
    const [status, reason] = expected.split(' ')
    const answer = await ask(await engineFor([bad.port], { maxTries: 1, connectTimeoutMs: 100 }))
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*X-Fairway-Reason: ${reason}\r\n`))
  })

  it('with an answer that does not go on is cut off in time', async () => {
    const seen = await pod((stream) => {
      stream.respond({ ':status': 200 })
      stream.write('half')
    })
    const answer = await ask(await engineFor([seen.port], { bodyTimeoutMs: 60 }))
    expect(answer).toMatch(/half\r\n$/)
  })
})

describe('bodies of 20 MB', () => {
  const SIZE = 20_000_000
  it('go both ways at once', async () => {
    const engine = await engineFor([(await pod(echo)).port])
    const client = await rawClient(engine.port)
    let received = 0
    client.socket.removeAllListeners('data')
    const whole = new Promise<void>((resolve) =>
      client.socket.on('data', (bytes: Buffer) => {
        received += bytes.length
        if (bytes.subarray(-5).toString() === '0\r\n\r\n') resolve()
      }),
    )
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`)
    client.socket.write(Buffer.alloc(SIZE, 'x'))
    await whole
    expect(received).toBeGreaterThan(SIZE)
  }, 30_000)
})
