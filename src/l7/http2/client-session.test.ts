import http2 from 'node:http2'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import type { Certificate, TableDelta } from '../table/index.ts'
import { createAuthority } from '../testing/authority.ts'
import { certificateFor } from '../testing/certificates.ts'
import { answeringPod, everything, pods, type RawPod, rawClient, rawPod, startEngine, to } from '../testing/harness.ts'
import { createSelfSigned } from '../tls/self-signed.ts'
import { ask, connectHttp2, heard } from './testing/client.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let builtIn: Certificate
beforeAll(async () => {
  builtIn = await createSelfSigned(Date.now())
})

interface World {
  readonly session: http2.ClientHttp2Session
  readonly engine: Awaited<ReturnType<typeof startEngine>>
}

const world = async (pod: RawPod, settings: Partial<EngineSettings> = {}, delta: TableDelta = {}): Promise<World> => {
  cleanup.push(() => pod.close())
  const engine = await startEngine([pod.port], settings, { delta, tls: builtIn })
  cleanup.push(() => engine.stop())
  const session = await connectHttp2(engine.tlsPort)
  cleanup.push(() => session.destroy())
  return { session, engine }
}

const pod = (answer: string): Promise<RawPod> => answeringPod(answer)

describe('a request', () => {
  it('reaches a pod as HTTP/1.1, and its answer the client', async () => {
    const seen = await pod(
      'HTTP/1.1 200 Fine\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok',
    )
    const { session, engine } = await world(seen)
    const { status, fields, body, code } = await ask(session, {
      ':path': '/a/../b?q',
      cookie: ['x=1', 'y=2'],
      'x-a': 'b',
      'x-forwarded-for': '6.6.6.6',
    })
    expect([status, body.toString(), code]).toEqual([200, 'ok', 0])
    expect(fields).toMatchObject({ 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'], 'content-length': '2' })
    expect(fields).not.toHaveProperty('connection')
    expect(fields).not.toHaveProperty('keep-alive')
    expect(seen.received[0]).toMatch(
      /^GET \/b\?q HTTP\/1.1\r\nHost: a.test\r\nx-a: b\r\ncookie: x=1; y=2\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n/,
    )
    expect(seen.received[0]).toContain(`X-Forwarded-Port: ${engine.tlsPort}\r\n`)
    expect(seen.received[0]).not.toContain('6.6.6.6')
  })

  it('may have a body with a length', async () => {
    const seen = await pod(OK)
    const { session } = await world(seen)
    expect((await ask(session, { ':method': 'POST', 'content-length': 5 }, 'hello')).status).toBe(200)
    expect(seen.received[0]).toMatch(/Content-Length: 5\r\n\r\nhello$/)
  })

  it('may have a body without one, and trailers', async () => {
    const seen = await rawPod((socket, text) => {
      if (text.endsWith('\r\n\r\n') && text.includes('0\r\nx-sum: 3\r\n')) socket.write(OK)
    })
    const { session } = await world(seen)
    const stream = session.request(
      { ':method': 'POST', ':path': '/', ':authority': 'a.test' },
      { endStream: false, waitForTrailers: true },
    )
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '3', authorization: 'x' }))
    stream.end('abc')
    expect((await heard(stream)).status).toBe(200)
    expect(seen.received[0]).toContain('Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n')
  })

  it('is one of many at a time', async () => {
    const { session } = await world(
      await answeringPod((head) => `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${/\/(\d+)/.exec(head)?.[1]}`),
    )
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(session, { ':path': `/${i + 100}` })))
    expect(answers.map(({ body }) => Number(body))).toEqual(Array.from({ length: 300 }, (_, i) => i + 100))
  })

  it('that expects 100-continue is told to go on', async () => {
    const { session } = await world(await pod(OK))
    const stream = session.request(
      { ':method': 'POST', ':path': '/', ':authority': 'a.test', expect: '100-continue', 'content-length': 2 },
      { endStream: false },
    )
    stream.once('continue', () => stream.end('hi'))
    expect((await heard(stream)).status).toBe(200)
  })
})

describe('an answer', () => {
  it('may be preceded by 103', async () => {
    const { session } = await world(await pod(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`))
    expect(await ask(session)).toMatchObject({ interim: [103], status: 200 })
  })

  it.each<[string, string, number]>([
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['304', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', 304],
    ['205', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', 205],
  ])('%s has no body', async (_name, answer, status) => {
    const { session } = await world(await pod(answer))
    expect(await ask(session)).toMatchObject({ status, body: Buffer.alloc(0), code: 0 })
  })

  it('to HEAD has the length and no body', async () => {
    const { session } = await world(await pod('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n'))
    const { status, fields, body } = await ask(session, { ':method': 'HEAD' })
    expect([status, fields['content-length'], body.length]).toEqual([200, '50', 0])
  })

  it('of unknown length ends with the stream, with trailers for who takes them', async () => {
    const { session } = await world(
      await pod('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n'),
    )
    expect(await ask(session, { te: 'trailers' })).toMatchObject({
      status: 200,
      body: Buffer.from('abc'),
      trailers: { 'x-sum': '3' },
    })
    expect(await ask(session)).toMatchObject({ status: 200, body: Buffer.from('abc') })
  })

  it('with fields that HTTP/2 has once only keeps the first', async () => {
    const { session } = await world(
      await pod('HTTP/1.1 200 OK\r\nETag: "a"\r\netag: "b"\r\nVary: a\r\nVary: b\r\n__proto__: x\r\nContent-Length: 0\r\n\r\n'),
    )
    const { fields } = await ask(session)
    expect(fields).toMatchObject({ etag: '"a"', vary: 'a, b' })
  })

  it.each(['Content-Length: 10\r\n\r\nhalf', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'])(
    'that is cut off (%s) resets the stream and no other',
    async (half) => {
      const { session } = await world(
        await rawPod((socket, text) => {
          if (text.includes('/cut')) socket.end(`HTTP/1.1 200 OK\r\n${half}`)
          else socket.write(OK)
        }),
      )
      const [cut, whole] = await Promise.all([ask(session, { ':path': '/cut' }), ask(session)])
      expect([cut.status, cut.code]).toEqual([200, http2.constants.NGHTTP2_INTERNAL_ERROR])
      expect([whole.status, whole.code]).toEqual([200, 0])
    },
  )

  it.each<[string, http2.OutgoingHttpHeaders, number, string]>([
    ['for a missing route', { ':authority': 'nowhere.test' }, 404, 'no-route'],
    ['for a path above the root', { ':path': '/../x' }, 400, 'malformed-request'],
    ['for TRACE', { ':method': 'TRACE' }, 405, 'method-refused'],
    ['for a head that is too large', { 'x-a': 'x'.repeat(33_000) }, 431, 'head-too-large'],
    ['for a long path', { ':path': `/${'x'.repeat(9_000)}` }, 414, 'request-line-too-long'],
  ])('of our own %s', async (_name, fields, status, reason) => {
    const { session } = await world(
      await pod(OK),
      {},
      {
        hosts: new Map([
          ['', null],
          ['a.test', everything('pods')],
        ]),
      },
    )
    const answer = await ask(session, fields)
    expect(answer).toMatchObject({ status, fields: { 'x-fairway-reason': reason } })
    expect(answer.body.toString()).toContain(reason)
    expect((await ask(session)).status).toBe(200)
  })

  it('413 stops a body that is too long, declared or not', async () => {
    const { session } = await world(await pod(OK), { maxBodyBytes: 1_000 })
    expect((await ask(session, { ':method': 'POST', 'content-length': 2_000 }, Buffer.alloc(2_000))).status).toBe(413)
    const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': 'a.test' }, { endStream: false })
    stream.write(Buffer.alloc(2_000))
    expect(await heard(stream)).toMatchObject({ status: 413 })
    expect((await ask(session)).status).toBe(200)
  })
})

describe('the connection', () => {
  it('serves only hosts with the certificate of its server name', async () => {
    const [a, b] = await Promise.all([certificateFor('a.test'), certificateFor('b.test')])
    const delta = {
      tlsHosts: new Map([
        ['a.test', 'a'],
        ['b.test', 'b'],
      ]),
      certificates: new Map([
        ['a', a],
        ['b', b],
      ]),
    }
    const { session } = await world(await pod(OK), {}, delta)
    expect((await ask(session)).status).toBe(200)
    expect(await ask(session, { ':authority': 'b.test' })).toMatchObject({
      status: 421,
      fields: { 'x-fairway-reason': 'other-certificate' },
    })
  })

  it('on the plain port is refused: prior knowledge and `Upgrade: h2c`', async () => {
    const { engine } = await world(await pod(OK))
    const prior = await rawClient(engine.port)
    prior.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    expect(await prior.closed()).toMatch(/^HTTP\/1.1 505 /)
    const upgrading = await rawClient(engine.port)
    upgrading.send(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
    )
    expect(await upgrading.until(/ok$/)).toMatch(/^HTTP\/1.1 200 /)
  })

  it('closes after so many requests, and loses none', async () => {
    const { session, engine } = await world(await pod(OK), { maxRequestsPerConnection: 3 })
    const answers = await Promise.all([ask(session), ask(session), ask(session)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    await new Promise<void>((resolve) => (session.closed ? resolve() : session.once('goaway', () => resolve())))
    expect(engine.dataPlane.stats.failures.size).toBe(0)
  })

  it('without a request is closed', async () => {
    const { session } = await world(await pod(OK), { keepAliveTimeoutMs: 50 })
    const gone = new Promise((resolve) => session.once('goaway', (code) => resolve(code)))
    expect((await ask(session)).status).toBe(200)
    expect(await gone).toBe(0)
  })

  it('drains: a request in progress is answered, a new one goes elsewhere', async () => {
    let answer = (): void => {}
    const { session, engine } = await world(
      await rawPod((socket) => {
        answer = () => socket.write(OK)
      }),
      { drainTimeoutMs: 5_000, drainIdleMs: 10 },
    )
    const inProgress = ask(session)
    while (engine.dataPlane.stats.upstreamConnects === 0) await new Promise(setImmediate)
    const goaways: number[] = []
    session.on('goaway', (_code, last) => goaways.push(last))
    const stopped = engine.stop()
    await new Promise((resolve) => session.once('goaway', resolve))
    answer()
    expect((await inProgress).status).toBe(200)
    await stopped
    expect(goaways[0]).toBe(2 ** 31 - 1)
  })

  it('tells a pod when the client gives a request up', async () => {
    let closed = (): void => {}
    const gone = new Promise<void>((resolve) => {
      closed = resolve
    })
    const { session, engine } = await world(await rawPod((socket) => socket.once('end', closed)))
    const stream = session.request({ ':path': '/', ':authority': 'a.test' })
    stream.on('error', () => {})
    while (engine.dataPlane.stats.upstreamConnects === 0) await new Promise(setImmediate)
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await gone
  })
})

describe('time', () => {
  it('ends for a body that does not come (408), and the rest goes on', async () => {
    const silent = await rawPod((socket, text) => {
      if (text.startsWith('GET')) socket.write(OK)
    })
    const { session } = await world(silent, { bodyTimeoutMs: 60 })
    const stream = session.request(
      { ':method': 'POST', ':path': '/', ':authority': 'a.test', 'content-length': 5 },
      { endStream: false },
    )
    stream.write('ab')
    expect(await heard(stream)).toMatchObject({ status: 408 })
    expect((await ask(session)).status).toBe(200)
  })

  it('ends for a pod that does not answer (504)', async () => {
    const { session } = await world(await rawPod(() => {}), { responseTimeoutMs: 60, maxTries: 1 })
    expect((await ask(session)).status).toBe(504)
  })

  it('ends for a client that takes nothing', async () => {
    const body = 'x'.repeat(400_000)
    const { session } = await world(await pod(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`), {
      writeTimeoutMs: 80,
    })
    const stream = session.request({ ':path': '/', ':authority': 'a.test' })
    stream.pause()
    await new Promise((resolve) => stream.on('aborted', resolve).on('error', resolve).on('close', resolve))
    expect(stream.rstCode).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR)
  })
})

describe('bodies of 20 MB', () => {
  const SIZE = 20_000_000
  /** In kernels' buffers and the engine together. */
  const MOST_ON_THE_WAY = 12_000_000

  /** What `read` says when it says the same twice. */
  const settled = async (read: () => number): Promise<number> => {
    for (let last = -1; ; ) {
      const now = read()
      if (now === last) return now
      last = now
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
  }

  it('go up no faster than the pod reads', async () => {
    let read = 0
    let isReading = false
    const slow = await rawPod((socket, _text, piece) => {
      read += piece.length
      if (!isReading) socket.pause()
      if (read > SIZE) socket.write(OK)
    })
    const { session } = await world(slow)
    const fields = { ':method': 'POST', ':path': '/', ':authority': 'a.test', 'content-length': SIZE }
    const stream = session.request(fields, { endStream: false })
    const answer = heard(stream)
    const piece = Buffer.alloc(100_000)
    let taken = 0
    for (let sent = 0; sent < SIZE; sent += piece.length)
      stream.write(piece, () => {
        taken += piece.length
      })
    stream.end()
    expect(await settled(() => taken)).toBeLessThan(MOST_ON_THE_WAY)
    isReading = true
    for (const socket of slow.sockets) socket.resume()
    expect((await answer).status).toBe(200)
    expect(read).toBeGreaterThan(SIZE)
  }, 30_000)

  it('go down no faster than the client reads', async () => {
    let written = 0
    const piece = Buffer.alloc(100_000)
    const big = await rawPod((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
      for (let sent = 0; sent < SIZE; sent += piece.length)
        socket.write(piece, () => {
          written += piece.length
        })
    })
    const { session } = await world(big)
    const stream = session.request({ ':path': '/', ':authority': 'a.test' })
    await new Promise((resolve) => stream.once('response', resolve))
    expect(await settled(() => written)).toBeLessThan(MOST_ON_THE_WAY)
    expect((await heard(stream)).body.length).toBe(SIZE)
  }, 30_000)
})

describe('hosts', () => {
  it('share one connection', async () => {
    const [one, two] = [await pod(OK), await answeringPod('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo')]
    cleanup.push(() => two.close())
    const delta = {
      backends: new Map([['other', pods(two.port)]]),
      hosts: new Map([['b.test', { paths: [{ match: 'prefix', path: '/', target: to('other') }] }]]),
    } as TableDelta
    const { session } = await world(one, {}, delta)
    const bodies = await Promise.all([ask(session), ask(session, { ':authority': 'b.test' })])
    expect(bodies.map(({ body }) => body.toString())).toEqual(['ok', 'two'])
  })
})

describe('client certificates', () => {
  it('are asked for and judged as over HTTP/1.1, and told to the pod', async () => {
    const root = await createAuthority('CN=root')
    const [good, server] = await Promise.all([root.issue('CN=alice'), certificateFor('a.test')])
    const clientAuth = { ca: root.certificate.chain, verify: 'required', depth: 1, passToUpstream: false } as const
    const delta = {
      tlsHosts: new Map([['a.test', 'a']]),
      certificates: new Map([['a', server]]),
      clientAuth: new Map([['a.test', clientAuth]]),
    }
    const seen = await pod(OK)
    const { session, engine } = await world(seen, {}, delta)
    expect(await ask(session)).toMatchObject({ status: 400, fields: { 'x-fairway-reason': 'client-certificate-required' } })
    const known = await connectHttp2(engine.tlsPort, { cert: good.chain, key: good.key })
    cleanup.push(() => known.destroy())
    expect((await ask(known, { 'ssl-client-verify': 'FORGED' })).status).toBe(200)
    expect(seen.received.join('')).toMatch(/ssl-client-verify: SUCCESS\r\nssl-client-subject-dn: CN=alice\r\n/)
    expect(seen.received.join('')).not.toContain('FORGED')
    const plain = await rawClient(engine.port)
    plain.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    expect(await plain.closed()).toMatch(/^HTTP\/1.1 400 /)
  })
})
