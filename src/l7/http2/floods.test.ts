import { constants } from 'node:http2'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import type { Certificate } from '../table/index.ts'
import { answeringPod, type RawPod, rawPod, startEngine } from '../testing/harness.ts'
import { createSelfSigned } from '../tls/self-signed.ts'
import { ask, connectHttp2 } from './testing/client.ts'
import {
  END_HEADERS,
  END_STREAM,
  type Frame,
  type FrameClient,
  fieldSection,
  frame,
  frameClient,
  REQUEST,
  setting,
  Type,
  uint32,
} from './testing/frames.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let builtIn: Certificate
beforeAll(async () => {
  builtIn = await createSelfSigned(Date.now())
})

type Started = Awaited<ReturnType<typeof startEngine>>

const world = async (
  settings: Partial<EngineSettings> = {},
  options: { readonly pod?: RawPod; readonly clientSettings?: Buffer } = {},
): Promise<{ readonly client: FrameClient; readonly engine: Started; readonly pod: RawPod }> => {
  const pod = options.pod ?? (await answeringPod(OK))
  cleanup.push(() => pod.close())
  const engine = await startEngine([pod.port], settings, { tls: builtIn })
  cleanup.push(() => engine.stop())
  const client = await frameClient(engine.tlsPort, options.clientSettings)
  cleanup.push(() => client.socket.destroy())
  return { client, engine, pod }
}

const request = (stream: number, fields = REQUEST, flags = END_STREAM | END_HEADERS): Buffer =>
  frame(Type.headers, flags, stream, fieldSection(fields))
const cancel = (stream: number): Buffer => frame(Type.reset, 0, stream, uint32(constants.NGHTTP2_CANCEL))
const goaway = ({ type }: Frame): boolean => type === Type.goaway
const codeOf = ({ payload }: Frame): number => payload.readUInt32BE(4)
const resetOf =
  (stream: number) =>
  (got: Frame): boolean =>
    got.type === Type.reset && got.stream === stream
const endOf =
  (stream: number) =>
  ({ type, flags, stream: of }: Frame): boolean =>
    of === stream && (type === Type.reset || ((flags & END_STREAM) !== 0 && (type === Type.data || type === Type.headers)))

/** Others are served while one misbehaves, and after it. */
const stillServes = async (engine: Started): Promise<void> => {
  const session = await connectHttp2(engine.tlsPort)
  cleanup.push(() => session.destroy())
  expect((await ask(session)).status).toBe(200)
}

describe('a flood', () => {
  it('of requests that are given up (CVE-2023-44487) ends the connection', async () => {
    const { client, engine } = await world({ http2ResetBurst: 50, http2ResetsPerSecond: 1 })
    for (let stream = 1; stream < 1_001; stream += 2) client.send(request(stream), cancel(stream))
    await client.closed()
    expect(engine.dataPlane.stats.failures.get('http2-reset-flood')).toBe(1)
    await stillServes(engine)
  })

  it('of resets within the allowance is served', async () => {
    const { client, engine } = await world({ http2ResetBurst: 50 })
    for (let stream = 1; stream < 60; stream += 2) client.send(request(stream), cancel(stream))
    client.send(request(61))
    await client.until(endOf(61))
    await stillServes(engine)
  })

  it('of streams that nghttp2 is made to reset ends the connection', async () => {
    const { client, engine } = await world({ http2ResetBurst: 50, http2ResetsPerSecond: 1 })
    for (let stream = 1; stream < 4_001; stream += 2) client.send(request(stream), frame(Type.windowUpdate, 0, stream, uint32(0)))
    await client.closed()
    await stillServes(engine)
  })

  it('of SETTINGS ends the connection', async () => {
    const { client, engine } = await world({ http2ControlBurst: 50, http2ControlsPerSecond: 1 })
    for (let i = 0; i < 500; i++) client.send(frame(Type.settings, 0, 0, setting(4, 65_535 - i)))
    expect(codeOf(await client.until(goaway))).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    await client.closed()
    await stillServes(engine)
  })

  it('of PING ends the connection', async () => {
    const { client, engine } = await world({ http2ControlBurst: 50, http2ControlsPerSecond: 1 })
    for (let i = 0; i < 500; i++) client.send(frame(Type.ping, 0, 0, Buffer.alloc(8)))
    expect(codeOf(await client.until(goaway))).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    await client.closed()
    await stillServes(engine)
  })

  it('of CONTINUATION (CVE-2024-27983, CVE-2024-28182) ends the connection', async () => {
    const { client, engine } = await world()
    client.send(request(1, REQUEST, END_STREAM))
    for (let i = 0; i < 100; i++) client.send(frame(Type.continuation, 0, 1, fieldSection([[`x-${i}`, 'x'.repeat(1_000)]])))
    await client.closed()
    expect(engine.dataPlane.stats.requests).toBe(0)
    await stillServes(engine)
  })

  it('of empty DATA frames (CVE-2019-9518) ends the connection', async () => {
    const { client, engine } = await world(
      {},
      { pod: await rawPod((socket, text) => void (text.startsWith('GET') && socket.write(OK))) },
    )
    client.send(request(1, [[':method', 'POST'], ...REQUEST.slice(1)], END_HEADERS))
    for (let i = 0; i < 2_000; i++) client.send(frame(Type.data, 0, 1))
    await client.closed()
    await stillServes(engine)
  })

  it('of streams beyond the limit that was agreed on ends the connection', async () => {
    const { client, engine } = await world(
      { http2MaxStreams: 5 },
      { pod: await rawPod((socket, text) => void (text.startsWith('GET /x') && socket.write(OK))) },
    )
    await client.until(({ type, flags }) => type === Type.settings && (flags & 1) === 1)
    for (let stream = 1; stream < 21; stream += 2) client.send(request(stream))
    await client.closed()
    const session = await connectHttp2(engine.tlsPort)
    cleanup.push(() => session.destroy())
    expect((await ask(session, { ':path': '/x' })).status).toBe(200)
  })

  it('of fields above what we answer resets the stream', async () => {
    const { client, engine } = await world()
    const fields = [...REQUEST, ...Array.from({ length: 400 }, (_, i) => [`x-${i}`, 'y'] as const)]
    client.send(request(1, fields))
    expect((await client.until(resetOf(1))).payload.readUInt32BE()).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    await stillServes(engine)
  })

  it('of one field by references to the dynamic table (an HPACK bomb) resets the stream', async () => {
    const { client, engine } = await world()
    const name = Buffer.from('x-bomb')
    const value = Buffer.alloc(3_900, 'x')
    // Literal with incremental indexing, then 4,000 references to the newest entry (index 62).
    const bomb = Buffer.concat([
      Buffer.from([0x40, name.length]),
      name,
      Buffer.from([127, ((3_900 - 127) & 127) | 128, (3_900 - 127) >> 7]),
      value,
    ])
    client.send(
      frame(Type.headers, END_STREAM | END_HEADERS, 1, Buffer.concat([fieldSection(REQUEST), bomb, Buffer.alloc(4_000, 0xbe)])),
    )
    expect((await client.until(resetOf(1))).payload.readUInt32BE()).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    await stillServes(engine)
  })
})

describe('a client that opens no window', () => {
  it('for its streams loses them in time', async () => {
    const { client, engine } = await world({ writeTimeoutMs: 60 }, { clientSettings: setting(4, 0) })
    client.send(request(1))
    expect((await client.until(resetOf(1))).type).toBe(Type.reset)
    await stillServes(engine)
  })

  it('for the connection loses its streams in time', async () => {
    const body = 'x'.repeat(200_000)
    const pod = await answeringPod((head) =>
      head.startsWith('GET /big') ? `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` : OK,
    )
    const { client, engine } = await world({ writeTimeoutMs: 60 }, { pod, clientSettings: setting(4, 2 ** 31 - 1) })
    const big = [...REQUEST.slice(0, 3), [':path', '/big'] as const]
    client.send(request(1, big), request(3, big))
    await Promise.all([client.until(resetOf(1)), client.until(resetOf(3))])
    await stillServes(engine)
  })

  it('and reads no bytes at all is closed', async () => {
    const body = 'x'.repeat(200_000)
    const pod = await answeringPod(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    const settings = { writeTimeoutMs: 60, keepAliveTimeoutMs: 60 }
    const { client, engine } = await world(settings, { pod, clientSettings: setting(4, 2 ** 31 - 1) })
    client.socket.pause()
    client.send(frame(Type.windowUpdate, 0, 0, uint32(2 ** 30)))
    for (let stream = 1; stream < 201; stream += 2) client.send(request(stream))
    while (engine.dataPlane.stats.requests < 50) await new Promise(setImmediate)
    while (engine.dataPlane.stats.connections > 0) await new Promise(setImmediate)
  })
})

describe('frames that lie', () => {
  it.each<[string, (stream: number) => Buffer[]]>([
    [
      'a body longer than its length',
      (id) => [
        request(id, [...post, ['content-length', '2']], END_HEADERS),
        frame(Type.data, END_STREAM, id, Buffer.from('abc')),
      ],
    ],
    [
      'a body shorter than its length',
      (id) => [
        request(id, [...post, ['content-length', '5']], END_HEADERS),
        frame(Type.data, END_STREAM, id, Buffer.from('abc')),
      ],
    ],
    [
      'a body after `content-length: 0` (H2.CL)',
      (id) => [
        request(id, [...post, ['content-length', '0']], END_HEADERS),
        frame(Type.data, END_STREAM, id, Buffer.from('GET /admin HTTP/1.1\r\n\r\n')),
      ],
    ],
    [
      'Transfer-Encoding',
      (id) => [
        request(id, [...post, ['transfer-encoding', 'chunked']], END_HEADERS),
        frame(Type.data, END_STREAM, id, Buffer.from('0\r\n\r\n')),
      ],
    ],
    ['a name in upper case', (id) => [request(id, [...REQUEST, ['X-Upper', '1']])]],
    ['two paths', (id) => [request(id, [...REQUEST, [':path', '/y']])]],
    ['a path with a line of its own', (id) => [request(id, [...REQUEST.slice(0, 3), [':path', '/ HTTP/1.1\r\nX: y']])]],
    [
      'an authority with a line of its own',
      (id) => [request(id, [...REQUEST.slice(0, 2), [':authority', 'a.test\r\nX: y'], REQUEST[3]!])],
    ],
    ['a method with a line of its own', (id) => [request(id, [[':method', 'GET / HTTP/1.1\r\nX: y'], ...REQUEST.slice(1)])]],
    [
      'an upload that is given up without an error',
      (id) => [request(id, post, END_HEADERS), frame(Type.data, 0, id, Buffer.from('half')), frame(Type.reset, 0, id, uint32(0))],
    ],
  ])('%s: never a whole request at a pod, and the stream is refused', async (_what, frames) => {
    const complete: string[] = []
    const pod = await rawPod((socket, text) => {
      if (/\r\n0\r\n\r\n$|^GET .*\r\n\r\n$|Content-Length: \d+\r\n.*\r\n\r\n.+$/s.test(text)) complete.push(text)
      if (text.startsWith('GET /good')) socket.write(OK)
    })
    const { client, engine } = await world({}, { pod })
    client.send(...frames(1), request(3, [...REQUEST.slice(0, 3), [':path', '/good']]))
    await client.until(endOf(3))
    expect(complete.filter((text) => !text.startsWith('GET /good'))).toEqual([])
    expect(engine.dataPlane.stats.classes[2]).toBe(1)
  })

  it.each<[string, readonly [string, string]]>([
    ['LF', ['x-evil', 'a\nX-Other: b']],
    ['CRLF', ['x-evil', 'a\r\nX-Other: b']],
    ['NUL', ['x-evil', 'a\0b']],
    ['a name with CRLF', ['x-evil\r\nx-other', 'b']],
    ['a name with a colon', ['x-evil:x', 'b']],
  ])('a field with %s: nothing of it reaches a pod', async (_what, field) => {
    const { client, pod } = await world()
    client.send(request(1, [...REQUEST, field, ['x-good', '1']]))
    await client.until(endOf(1))
    expect(pod.received.join('')).not.toMatch(/x-evil|x-other/i)
  })

  const post: readonly (readonly [string, string])[] = [[':method', 'POST'], ...REQUEST.slice(1)]
})

describe('bytes that are no HTTP/2', () => {
  it.each<[string, Buffer]>([
    ['a frame on a stream that is not open', frame(Type.data, 0, 5, Buffer.from('x'))],
    ['a frame that is too large', frame(Type.data, 0, 1, Buffer.alloc(100_000))],
    ['SETTINGS of a wrong size', frame(Type.settings, 0, 0, Buffer.alloc(5))],
    ['PUSH_PROMISE of a client', frame(Type.push, END_HEADERS, 1, Buffer.alloc(4))],
    ['a window that overflows', frame(Type.windowUpdate, 0, 0, uint32(2 ** 31 - 1))],
    ['an even stream', request(2)],
    ['a field section that is none', frame(Type.headers, END_HEADERS | END_STREAM, 1, Buffer.alloc(20, 0xff))],
  ])('%s: the connection ends', async (_what, bytes) => {
    // nghttp2 says GOAWAY and hears nothing more; Node closes only some of these by itself.
    const { client, engine } = await world({ headTimeoutMs: 300 })
    client.send(bytes)
    expect(codeOf(await client.until(goaway))).not.toBe(0)
    await client.closed()
    await stillServes(engine)
  })

  it('no preface: the connection ends in time', async () => {
    const { client, engine } = await world({ headTimeoutMs: 60 })
    await client.closed()
    await stillServes(engine)
  })
})
