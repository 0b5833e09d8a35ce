import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { ApiError } from '../../api/index.ts'
import { realClock, silentLogger } from '../../base/index.ts'
import { type Certificates, openCertificates } from '../certificates/index.ts'
import { readBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import { type Listening, type ListenOptions, listenHttps } from './listen.ts'
import { sendFailure, sendJson } from './respond.ts'

/** A lost answer is a race: each case is tried often. */
const ROUNDS = 12
const LIMITS = { bytes: 1000, timeoutMs: 200 }
/** More than the kernel's buffers take in: a client that sends it is in the middle of that when the answer is given. */
const MUCH = 'x'.repeat(4 * 2 ** 20)

let certificates: Certificates
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-listen-'))
  certificates = await openCertificates({ path: folder, clock: realClock })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Reads the body, within limits, and answers. */
const answerBody = async ({ request, response }: Exchange): Promise<void> => {
  try {
    sendJson(response, 200, { bytes: (await readBody(request, realClock, LIMITS)).length })
  } catch (error) {
    // `readBody` rejects with nothing else.
    sendFailure(response, error as ApiError)
  }
}

const serve = async (change: Partial<ListenOptions> = {}): Promise<Listening> => {
  const stop = new AbortController()
  const certificate = await certificates.server(['127.0.0.1'])
  const listening = await listenHttps(
    {
      host: '127.0.0.1',
      port: 0,
      authority: certificates.authority,
      certificate,
      clock: realClock,
      log: silentLogger,
      handle: answerBody,
      ...change,
    },
    stop.signal,
  )
  onTestFinished(async () => {
    stop.abort()
    await listening.stopped
  })
  return listening
}

const open = (server: Listening): TLSSocket =>
  connect({ ...server.address, ca: certificates.authority, ALPNProtocols: ['http/1.1'] }, () => {})

/** What the server says until it closes. Rejects when the connection is reset before. */
const answerTo = (server: Listening, send: (socket: TLSSocket) => void): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = open(server)
    let text = ''
    socket.once('secureConnect', () => send(socket))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.once('error', reject)
    socket.once('end', () => resolve(text))
  })

const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d+) /.exec(text)?.[1])

/** The answers of many clients, one after the other, that send all of `text` before they read: a reset meanwhile takes their answer away. */
const answersTo = async (server: Listening, text: string): Promise<readonly number[]> => {
  const codes: number[] = []
  for (let round = 0; round < ROUNDS; round++)
    codes.push(
      statusOf(
        await answerTo(server, (socket) => {
          socket.pause()
          socket.write(text, () => socket.resume())
        }),
      ),
    )
  return [...new Set(codes)]
}

const POST = 'POST / HTTP/1.1\r\nhost: a\r\n'

describe('an answer given while input still comes arrives, always', () => {
  test.each([
    ['a URL that is too long', `GET /${MUCH} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
    ['a header without end', `GET / HTTP/1.1\r\nhost: a\r\nx: ${MUCH}`, 431],
    ['no HTTP', `SSH-2.0-x\r\n${MUCH}`, 400],
    ['a chunk of no size', `${POST}transfer-encoding: chunked\r\n\r\nxyz\r\n${MUCH}`, 400],
    ['a chunk extension without end', `${POST}transfer-encoding: chunked\r\n\r\n1;${MUCH}`, 413],
    ['a body that is announced too long', `${POST}content-length: ${MUCH.length}\r\n\r\n${MUCH}`, 413],
    ['a body that grows too long', `${POST}transfer-encoding: chunked\r\n\r\n400000\r\n${MUCH}\r\n0\r\n\r\n`, 413],
    ['a body that is read, and a close', `${POST}connection: close\r\ncontent-length: 2\r\n\r\nhi`, 200],
  ])('%s', async (_, text, code) => {
    expect(await answersTo(await serve(), text)).toEqual([code])
  })

  test('headers that trickle are 408', async () => {
    const server = await serve({ timeouts: { headersMs: 150, requestMs: 60_000 } })
    const answer = await answerTo(server, (socket) => trickle(socket, 'GET / HTTP/1.1\r\nx: '))
    expect(statusOf(answer)).toBe(408)
  })

  test('a body that trickles is 400, and its connection ends though it goes on', async () => {
    const server = await serve({ timeouts: { headersMs: 150, requestMs: 2_000 } })
    const answer = await answerTo(server, (socket) => trickle(socket, `${POST}content-length: 999\r\n\r\n`))
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*did not arrive in time[\s\S]*HTTP\/1\.1 408 /)
  })

  test('a body that is too long over HTTP/2 is 413, and the session goes on', async () => {
    const { host, port } = (await serve()).address
    // Node's client keeps what it could not send in mind until the session ends.
    const session = connectHttp2(`https://${host}:${port}`, { ca: certificates.authority, maxSessionMemory: 1000 })
    onTestFinished(() => session.close())
    const codes: unknown[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const stream = session.request({ ':method': 'POST', ':path': '/' })
      stream.end(MUCH)
      codes.push(
        await new Promise((resolve, reject) => {
          stream.once('error', reject)
          stream.once('response', (headers) => resolve(headers[':status']))
        }),
      )
      stream.resume()
    }
    expect([...new Set(codes)]).toEqual([413])
  })
})

/** Sends a byte every now and then until the connection ends. */
const trickle = (socket: TLSSocket, head: string): void => {
  socket.write(head)
  const timer = setInterval(() => socket.writable && socket.write('x'), 10)
  socket.once('close', () => clearInterval(timer))
  socket.once('end', () => clearInterval(timer))
}

describe('what is no HTTP after a request', () => {
  test('ends an answer that has begun, with nothing in between', async () => {
    const begun = async ({ response }: Exchange): Promise<void> => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write('one')
    }
    const server = await serve({ handle: begun })
    const socket = open(server)
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    socket.once('data', () => socket.write('nonsense\r\n\r\n'))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    await new Promise((resolve) => socket.on('error', () => {}).once('close', resolve))
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n3\r\none\r\n$/)
  })

  test('is answered once, and the answer that was being made is called off', async () => {
    const signals: AbortSignal[] = []
    const late = ({ response, signal }: Exchange): Promise<void> =>
      new Promise((resolve) => {
        signals.push(signal)
        signal.addEventListener('abort', () => {
          sendJson(response, 200, {})
          resolve()
        })
      })
    const answer = await answerTo(await serve({ handle: late }), (socket) => {
      socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\nnonsense\r\n\r\n')
    })
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400'])
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })
})
