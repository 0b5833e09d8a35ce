import net from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rawClient, startEngine } from '../testing/harness.ts'
import { type AnswerVector, answers } from './vectors/answers.ts'

const SECOND = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond'

/** A pod that gives one answer after another, each in the pieces that are asked for, and numbers its connections. */
class ScriptedPod {
  script: (readonly Buffer[])[] = []
  connections: number[] = []
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  #accepted = 0

  constructor() {
    this.#server = net.createServer({ noDelay: true }, (socket) => {
      const number = ++this.#accepted
      let text = ''
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('data', (piece) => {
        text += piece.toString('latin1')
        if (!text.endsWith('\r\n\r\n')) return
        text = ''
        this.connections.push(number)
        send(socket, this.script.shift() ?? [])
      })
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

const send = (socket: net.Socket, pieces: readonly Buffer[]): void => {
  const [first, ...rest] = pieces
  if (first !== undefined && socket.writable) socket.write(first, () => setImmediate(() => send(socket, rest)))
}

const segmentations: readonly [string, (bytes: Buffer) => readonly Buffer[]][] = [
  ['in one', (bytes) => [bytes]],
  ['in two', (bytes) => [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)]],
  ['byte by byte', (bytes) => Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1))],
]
const LONG = 4_000

describe('answer vectors', () => {
  const pod = new ScriptedPod()
  let engine: Awaited<ReturnType<typeof startEngine>>

  beforeAll(async () => {
    engine = await startEngine([await pod.listen()], {
      responseTimeoutMs: 5_000,
      bodyTimeoutMs: 5_000,
      ejectAfterFailures: 0,
      ejectRatio: 0,
    })
  })

  afterAll(async () => {
    await engine.stop()
    pod.close()
  })

  it.each(answers.map((vector) => [`${vector.method ?? 'GET'} ${JSON.stringify(vector.pod).slice(0, 110)}`, vector] as const))(
    '%s',
    async (_name, vector) => {
      for (const [segmentation, cut] of segmentations) {
        const bytes = Buffer.from(vector.pod, 'latin1')
        if (bytes.length > LONG && segmentation === 'byte by byte') continue
        // Poison that comes later than the answer may meet the next request: no proxy can tell them apart.
        if (vector.isPoison && segmentation !== 'in one') continue
        const outcome = await converse(engine.port, pod, cut(bytes), vector)
        expect(outcome, `${segmentation}: ${vector.why}`).toEqual({
          status: vector.client,
          body: vector.body,
          second: true,
          isKept: vector.isKept,
        })
      }
    },
  )
})

/** One request that gets the vector's answer, then one on the same client connection that must get its own. */
const converse = async (port: number, pod: ScriptedPod, pieces: readonly Buffer[], vector: AnswerVector) => {
  const method = vector.method ?? 'GET'
  pod.script = [pieces, [Buffer.from(SECOND)]]
  pod.connections = []
  const client = await rawClient(port)
  client.send(`${method} /first HTTP/1.1\r\nHost: a\r\n\r\n`)
  const first = readAnswer(await client.until({ test: (text: string) => readAnswer(text, method) !== undefined }), method)
  client.send('GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const text = await client.closed()
  return {
    status: first?.status,
    body: first?.isOwn ? undefined : first?.body,
    second: readAnswer(text.slice(first?.end), 'GET')?.body === 'second',
    isKept: pod.connections[0] === pod.connections[1],
  }
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly isOwn: boolean
  readonly end: number
}

/** The first final answer, when it is here whole; framed as the engine frames. */
const readAnswer = (text: string, method: string): Answer | undefined => {
  for (let at = 0; ; ) {
    const headEnd = text.indexOf('\r\n\r\n', at)
    if (headEnd === -1) return undefined
    const head = text.slice(at, headEnd)
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1])
    at = headEnd + 4
    if (status < 200) continue
    const isOwn = /^x-fairway-reason: /im.test(head)
    if (method === 'HEAD' || status === 204 || status === 304) return { status, body: '', isOwn, end: at }
    if (/^transfer-encoding: chunked/im.test(head)) {
      const [whole, data = ''] = /^((?:[1-9a-f][0-9a-f]*\r\n[^\r]*\r\n)*)0\r\n(?:[^\r]+\r\n)*\r\n/.exec(text.slice(at)) ?? []
      if (whole === undefined) return undefined
      return { status, body: data.replace(/[0-9a-f]+\r\n([^\r]*)\r\n/g, '$1'), isOwn, end: at + whole.length }
    }
    const end = at + Number(/^content-length: (\d+)/im.exec(head)?.[1])
    return text.length < end ? undefined : { status, body: text.slice(at, end), isOwn, end }
  }
}
