import type { ClientHttp2Session } from 'node:http2'
import { constants } from 'node:http2'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Backend, Certificate } from '../table/index.ts'
import { type RawPod, rawPod, startEngine } from '../testing/harness.ts'
import { createSelfSigned } from '../tls/self-signed.ts'
import { type Http2Pod, http2Pod } from '../upstream/http2/testing/pod.ts'
import { ask, connectHttp2 } from './testing/client.ts'

const AT_A_TIME = 40
const ROUNDS = 600
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let builtIn: Certificate
beforeAll(async () => {
  builtIn = await createSelfSigned(Date.now())
})

const pick = <T>(choices: readonly T[]): T => choices[Math.floor(Math.random() * choices.length)]!
const BODY = 'x'.repeat(50_000)

/** Does what the path says. */
const oddHttp1 = (): Promise<RawPod> =>
  rawPod((socket, _text, piece) => {
    const path = /(?:GET|POST) \/(\w+)/.exec(piece.toString('latin1'))?.[1]
    if (path === 'die') socket.destroy()
    else if (path === 'half') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
    else if (path === 'odd') socket.write('what is this?\r\n\r\n')
    else if (path === 'big') socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`)
    else if (path === 'good') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })

const oddHttp2 = (): Promise<Http2Pod> =>
  http2Pod((stream, fields) => {
    const path = String(fields[':path']).slice(1)
    if (path === 'die') stream.session?.destroy()
    else if (path === 'half') {
      stream.respond({ ':status': 200 })
      stream.write('half', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
    } else if (path === 'odd') stream.close(pick([0, 1, 2, 7, 8, 11]))
    else if (path === 'big') {
      stream.respond({ ':status': 200 })
      stream.end(BODY)
    } else if (path === 'good') {
      stream.respond({ ':status': 200 })
      stream.end('ok')
    }
  })

/** One request of a client that behaves oddly. */
const disturb = (session: ClientHttp2Session): Promise<void> =>
  new Promise((resolve) => {
    const isPost = Math.random() < 0.5
    const path = `/${pick(['die', 'half', 'odd', 'big', 'good', 'hang', '../x'])}`
    const fields = {
      ':method': isPost ? 'POST' : 'GET',
      ':path': path,
      ':authority': 'a.test',
      ...pick([{ te: 'trailers' }, {}]),
    }
    const stream = session.request(fields, { endStream: !isPost })
    stream.on('error', () => {})
    stream.on('close', resolve)
    // Node does not close a stream that was reset without an error while it wrote.
    stream.on('end', () => setImmediate(() => stream.destroy()))
    const act = pick(['read', 'pause', 'reset', 'reset later', 'destroy'])
    // One that never reads again would not see its own end.
    setTimeout(() => stream.resume(), act === 'read' ? 0 : 150)
    if (act === 'pause') stream.pause()
    else if (act === 'reset') stream.close(pick([0, 2, 8]))
    else if (act === 'reset later') setImmediate(() => stream.close(8))
    else if (act === 'destroy') setImmediate(() => stream.destroy())
    if (isPost && !stream.destroyed) {
      stream.write('x'.repeat(Math.floor(Math.random() * 20_000)))
      if (Math.random() < 0.7) stream.end('y')
    }
  })

describe.each<[string, () => Promise<{ readonly port: number; close(): void }>, Backend['protocol']]>([
  ['HTTP/1.1', oddHttp1, 'http'],
  ['h2c', oddHttp2, 'h2c'],
])('odd clients and odd pods that speak %s', (_name, start, protocol) => {
  it('leave nothing behind: as many requests as before are served at a time', async () => {
    const pod = await start()
    cleanup.push(() => pod.close())
    const backend = { protocol, endpoints: [{ address: '127.0.0.1', port: pod.port }] } as Backend
    const settings = { maxRequestsPerEndpoint: AT_A_TIME, ejectAfterFailures: 0, ejectAfterRefused: 0, ejectRatio: 0 }
    const times = { writeTimeoutMs: 100, bodyTimeoutMs: 100, responseTimeoutMs: 100, http2ResetBurst: 10_000 }
    const engine = await startEngine(
      [],
      { ...settings, ...times },
      { delta: { backends: new Map([['pods', backend]]) }, tls: builtIn },
    )
    cleanup.push(() => engine.stop())
    const sessions = await Promise.all([1, 2, 3].map(() => connectHttp2(engine.tlsPort)))
    cleanup.push(() => sessions.forEach((session) => void session.destroy()))
    for (let round = 0; round < ROUNDS; round += AT_A_TIME)
      await Promise.all(Array.from({ length: AT_A_TIME }, () => disturb(pick(sessions))))
    for (const session of sessions.slice(1)) session.destroy()
    const answers = await Promise.all(Array.from({ length: AT_A_TIME }, () => ask(sessions[0]!, { ':path': '/good' })))
    expect(answers.map(({ status }) => status)).toEqual(Array(AT_A_TIME).fill(200))
    while (engine.dataPlane.stats.connections > 1) await new Promise(setImmediate)
  }, 60_000)
})
