import grpc from '@grpc/grpc-js'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import type { Certificate, TableDelta } from '../table/index.ts'
import { certificateFor } from '../testing/certificates.ts'
import { everything, rawPod, startEngine } from '../testing/harness.ts'
import { collect, type EchoClient, type GrpcPod, grpcClient, grpcPod, unary } from './testing/grpc.ts'

const { status } = grpc
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let builtIn: Certificate
beforeAll(async () => {
  builtIn = await certificateFor('a.test')
})

interface World {
  readonly client: EchoClient
  readonly pod: GrpcPod
  readonly engine: Awaited<ReturnType<typeof startEngine>>
}

const backendOf = (...ports: readonly number[]): TableDelta => ({
  backends: new Map([['pods', { protocol: 'h2c', endpoints: ports.map((port) => ({ address: '127.0.0.1', port })) }]]),
})

const world = async (settings: Partial<EngineSettings> = {}, delta: TableDelta = {}): Promise<World> => {
  const pod = await grpcPod()
  cleanup.push(() => pod.close())
  const engine = await startEngine([], settings, { delta: { ...backendOf(pod.port), ...delta }, tls: builtIn })
  cleanup.push(() => engine.stop())
  const client = grpcClient(engine.tlsPort, builtIn.chain)
  cleanup.push(() => client.close())
  return { client, pod, engine }
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise(setImmediate)
}

describe('gRPC, client to pod', () => {
  it('one request and one answer, with metadata and trailers', async () => {
    const { client } = await world()
    const metadata = new grpc.Metadata()
    metadata.add('x-asked', 'one')
    metadata.add('x-asked', 'two')
    const reply = await unary(client, 'hello', { metadata })
    expect([reply.code, reply.body?.toString()]).toEqual([status.OK, 'hello'])
    expect(reply.metadata.get('x-heard')).toEqual(['one, two'])
    expect(reply.trailers.get('x-trailer-bin')).toEqual([Buffer.from([0, 1, 255])])
  })

  it("a pod's own error", async () => {
    const { client } = await world()
    expect(await unary(client, 'fail')).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not now' })
  })

  it('a stream of answers', async () => {
    const { client } = await world()
    expect(await collect(client.serverStream(Buffer.from('3')))).toEqual({
      messages: ['3', '2', '1'],
      code: status.OK,
      details: 'OK',
    })
  })

  it('a stream of requests', async () => {
    const { client } = await world()
    const answer = new Promise((resolve) => {
      const call = client.clientStream((_error, value) => resolve(value?.toString()))
      for (let i = 0; i < 50; i++) call.write(Buffer.alloc(1_000))
      call.end()
    })
    expect(await answer).toBe('50000')
  })

  it('both ways, in turns', async () => {
    const { client } = await world()
    const call = client.bidi()
    const heard: string[] = []
    call.on('data', (message: Buffer) => {
      heard.push(message.toString())
      if (heard.length < 5) call.write(Buffer.from(`${heard.length}`))
      else call.end()
    })
    call.write(Buffer.from('0'))
    expect(await new Promise((resolve) => call.on('status', ({ code }) => resolve(code)))).toBe(status.OK)
    expect(heard).toEqual(['0', '1', '2', '3', '4'])
  })

  it('messages of 20 MB', async () => {
    const { client } = await world()
    const message = Buffer.alloc(20_000_000, 'm')
    const { code, body } = await unary(client, message)
    expect([code, body?.equals(message)]).toEqual([status.OK, true])
  }, 30_000)

  it('200 calls at a time on one connection of each side', async () => {
    const { client, engine } = await world()
    const replies = await Promise.all(Array.from({ length: 200 }, (_, i) => unary(client, `${i}`)))
    expect(replies.map(({ body }) => body?.toString())).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`))
    expect(engine.dataPlane.stats.connections).toBe(1)
  })
})

describe('an end before the end', () => {
  it('a deadline of the client reaches the pod', async () => {
    const { client, pod } = await world()
    expect((await unary(client, 'hang', { deadlineMs: 300 })).code).toBe(status.DEADLINE_EXCEEDED)
    await until(() => pod.cancelled() === 1)
  })

  it('a client that gives up reaches the pod', async () => {
    const { client, pod } = await world()
    const call = client.serverStream(Buffer.from('2…'))
    const outcome = collect(call)
    await new Promise((resolve) => call.once('data', resolve))
    call.cancel()
    expect((await outcome).code).toBe(status.CANCELLED)
    await until(() => pod.cancelled() === 1)
  })

  it('a pod that dies in the middle is UNAVAILABLE', async () => {
    const { client, pod } = await world()
    const call = client.serverStream(Buffer.from('2…'))
    const outcome = collect(call)
    await new Promise((resolve) => call.once('data', resolve))
    pod.close()
    expect(await outcome).toMatchObject({ messages: ['2', '1'], code: status.UNAVAILABLE })
  })

  it('a pod that dies before it answers is UNAVAILABLE', async () => {
    const { client, pod } = await world()
    const reply = unary(client, 'hang')
    await until(() => pod.begun() === 1)
    pod.close()
    expect(await reply).toMatchObject({ code: status.UNAVAILABLE, details: '502 upstream-reset' })
  })

  it('a pod that goes away in order loses no call', async () => {
    const { client, pod, engine } = await world()
    const next = await grpcPod()
    cleanup.push(() => next.close())
    engine.dataPlane.update(backendOf(pod.port, next.port))
    let isDone = false
    const codes = new Map<number, number>()
    const caller = async (): Promise<void> => {
      while (!isDone) {
        const { code } = await unary(client, 'x')
        codes.set(code, (codes.get(code) ?? 0) + 1)
      }
    }
    const callers = Array.from({ length: 20 }, caller)
    await until(() => pod.begun() > 50 && next.begun() > 50)
    await pod.drain()
    const before = next.begun()
    await until(() => next.begun() > before + 200)
    isDone = true
    await Promise.all(callers)
    expect([...codes.keys()]).toEqual([status.OK])
  }, 30_000)
})

describe("the engine's own answers", () => {
  const answers: readonly [string, Partial<EngineSettings>, TableDelta, number, string][] = [
    ['no route', {}, { hosts: new Map([['', null]]) }, status.UNIMPLEMENTED, '404 no-route'],
    [
      'no endpoint',
      {},
      { backends: new Map([['pods', { protocol: 'h2c', endpoints: [], unavailable: 'no-ready-endpoints' }]]) },
      status.UNAVAILABLE,
      '503 no-ready-endpoints',
    ],
    ['a pod that refuses', { maxTries: 1 }, backendOf(1), status.UNAVAILABLE, '502 upstream-refused'],
    ['a message that is too long', { maxBodyBytes: 2 }, {}, status.RESOURCE_EXHAUSTED, '413 body-too-large'],
  ]
  it.each(answers)('for %s', async (_what, settings, delta, code, details) => {
    const { client } = await world(settings, delta)
    expect(await unary(client, 'hello')).toMatchObject({ code, details })
  })

  it('for a pod that does not answer in time', async () => {
    const { client } = await world({ responseTimeoutMs: 60, maxTries: 1 })
    expect(await unary(client, 'hang')).toMatchObject({ code: status.UNAVAILABLE, details: '504 upstream-response-timeout' })
  })

  it('for a pod that speaks no HTTP/2', async () => {
    const other = await rawPod((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    cleanup.push(() => other.close())
    const { client } = await world({}, { ...backendOf(other.port), hosts: new Map([['', everything('pods')]]) })
    expect(await unary(client, 'hello')).toMatchObject({ code: status.UNAVAILABLE, details: '502 upstream-invalid-response' })
  })
})
