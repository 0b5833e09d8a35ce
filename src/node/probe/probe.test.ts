import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer, type Server } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Container, Probe } from '../../api/index.ts'
import { realClock } from '../../base/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { type HandlerTarget, type ProbeHandler, portNumber, tryHandler } from './handlers.ts'
import { initialProbeState, nextProbeState, type ProbeResult, probeTiming } from './machine.ts'
import type { HandlerOutcome } from './outcome.ts'
import { startProber } from './prober.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const listen = async (server: Server): Promise<number> => {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
const http = (listener: RequestListener): Promise<number> => listen(createHttpServer(listener))

const target = (port: number, run: HandlerTarget['run'] = async () => ({ ok: true, output: '' })): HandlerTarget => {
  const container: Container = { name: 'main', ports: [{ name: 'web', containerPort: port, protocol: 'TCP' }] }
  return { address: '127.0.0.1', container, run }
}
const tryOnce = (handler: ProbeHandler, port: number, timeoutMs = 5000): Promise<HandlerOutcome> =>
  tryHandler(handler, target(port), { timeoutMs, clock: realClock, signal: new AbortController().signal })

describe('the probe machine', () => {
  it('fills in the defaults of Kubernetes', () => {
    const expected = { initialDelayMs: 0, timeoutMs: 1000, periodMs: 10_000, successThreshold: 1, failureThreshold: 3 }
    expect(probeTiming({})).toEqual(expected)
    expect(probeTiming({ periodSeconds: 0, failureThreshold: -1, timeoutSeconds: 0 })).toEqual(expected)
  })

  it('changes its result exactly when so many equal outcomes came in a row', () => {
    const outcomes = fc.array(fc.constantFrom<ProbeResult>('success', 'failure'), { maxLength: 40 })
    fc.assert(
      fc.property(
        outcomes,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        (list, successThreshold, failureThreshold) => {
          const timing = { ...probeTiming({}), successThreshold, failureThreshold }
          let state = initialProbeState
          let expected: string = 'unknown'
          list.forEach((outcome, index) => {
            state = nextProbeState(state, outcome, timing)
            const needed = outcome === 'success' ? successThreshold : failureThreshold
            const row = list.slice(Math.max(0, index + 1 - needed), index + 1)
            if (row.length === needed && row.every((each) => each === outcome)) expected = outcome
            expect(state.result).toBe(expected)
          })
        },
      ),
    )
  })
})

describe('probe handlers', () => {
  it.each([
    [200, true],
    [302, true],
    [399, true],
    [400, false],
    [503, false],
  ])('HTTP %d is success: %s', async (code, ok) => {
    const port = await http((_request, response) =>
      response.writeHead(code, { location: 'http://127.0.0.1:1/' }).end('x'.repeat(100_000)),
    )
    expect((await tryOnce({ httpGet: { port } }, port)).ok).toBe(ok)
  })

  it('sends path, host and headers, to a port by name', async () => {
    const asked: unknown[] = []
    const port = await http((request, response) => {
      asked.push([request.url, request.headers.host, request.headers['x-a'], request.headers['user-agent']])
      response.end()
    })
    const httpHeaders = [
      { name: 'Host', value: 'shop.example' },
      { name: 'X-A', value: 'b' },
    ]
    expect(await tryOnce({ httpGet: { port: 'web', path: 'deep?q=1', httpHeaders } }, port)).toEqual({ ok: true, output: '' })
    expect(asked).toEqual([['/deep?q=1', 'shop.example', 'b', 'kube-probe/fairway']])
  })

  it('fails when no answer comes in time', async () => {
    const port = await http(() => {})
    expect(await tryOnce({ httpGet: { port } }, port, 30)).toEqual({ ok: false, output: 'no answer within 0.03s' })
  })

  it('tries a TCP connection', async () => {
    const server = createServer()
    const port = await listen(server)
    expect((await tryOnce({ tcpSocket: { port: 'web' } }, port)).ok).toBe(true)
    server.close()
    expect((await tryOnce({ tcpSocket: { port } }, port)).output).toContain('ECONNREFUSED')
  })

  it.each([
    ['SERVING', [0, 0, 0, 0, 2, 8, 1], '0', true],
    ['NOT_SERVING', [0, 0, 0, 0, 2, 8, 2], '0', false],
    ['UNIMPLEMENTED', [], '12', false],
  ])('asks gRPC health: %s', async (_name, bytes, status, ok) => {
    const paths: unknown[] = []
    const server = createHttp2Server()
    server.on('stream', (stream, headers) => {
      paths.push(headers[':path'])
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
      stream.end(Buffer.from(bytes))
    })
    const port = await listen(server)
    expect((await tryOnce({ grpc: { port, service: 'shop' } }, port)).ok).toBe(ok)
    expect(paths).toEqual(['/grpc.health.v1.Health/Check'])
  })

  it.each([['none'], [0], [70_000], ['']])('says that the port %j does not exist', (port) => {
    expect(() => portNumber(port, target(1).container)).toThrow(/container main has no port/)
  })
})

describe('the prober', () => {
  const probing = (probe: Probe, outcomes: readonly boolean[], eager = false) => {
    const clock = pausedClock()
    const stop = new AbortController()
    const told: string[] = []
    let tries = 0
    const run = async (): Promise<HandlerOutcome> => ({ ok: outcomes[tries++] ?? true, output: `try ${tries}` })
    startProber({
      probe: { exec: { command: ['x'] }, ...probe },
      target: target(1, run),
      clock,
      signal: stop.signal,
      eager,
      onResult: (result, output) => told.push(`${result} at ${clock.monotonic() / 1000}s (${output})`),
      onFailedTry: () => {},
    })
    return { clock, stop, told, tries: () => tries }
  }

  it('waits the initial delay, then tries at its period', async () => {
    const { clock, told, tries } = probing({ initialDelaySeconds: 5, periodSeconds: 2, failureThreshold: 2 }, [
      false,
      false,
      true,
    ])
    await clock.advance(4999)
    expect(tries()).toBe(0)
    await clock.advance(4001)
    expect(told).toEqual(['failure at 7s (try 2)', 'success at 9s (try 3)'])
  })

  it('tells of every confirmed failure, and of a success only once', async () => {
    const { clock, told } = probing({ periodSeconds: 1, failureThreshold: 1 }, [false, false, true, true, true])
    await clock.advance(5000)
    expect(told).toEqual(['failure at 0s (try 1)', 'failure at 1s (try 2)', 'success at 2s (try 3)'])
  })

  it('ends on abort', async () => {
    const { clock, stop, tries } = probing({ periodSeconds: 1 }, [])
    await clock.advance(2000)
    const before = tries()
    stop.abort()
    await clock.advance(5000)
    expect(tries()).toBe(before)
  })

  it('finds a server that comes up long before its next period', async () => {
    const server = createServer()
    const port = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    const before = Date.now()
    const ready = new Promise<void>((resolve) => {
      const stop = new AbortController()
      const onResult = (result: ProbeResult): void => {
        expect(result).toBe('success')
        stop.abort()
        resolve()
      }
      const probe = { tcpSocket: { port }, periodSeconds: 60, failureThreshold: 2 }
      const onFailedTry = () => servers.push(createServer().listen(port, '127.0.0.1'))
      startProber({ probe, target: target(port), clock: realClock, signal: stop.signal, eager: true, onResult, onFailedTry })
    })
    await ready
    expect(Date.now() - before).toBeLessThan(5000)
  })
})
