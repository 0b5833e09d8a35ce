import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import type { RoutePolicy, TableDelta } from '../table/index.ts'
import { answeringPod, pods, rawClient, startEngine } from '../testing/harness.ts'
import { engineMetricsText } from './exposition.ts'
import { checkAccessLog } from './line-writer.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'fairway-telemetry-'))
  cleanups.push(() => rmSync(path, { recursive: true }))
  return path
}

const route = (policy?: RoutePolicy): TableDelta => ({
  hosts: new Map([
    [
      '',
      {
        paths: [
          {
            match: 'prefix',
            path: '/',
            target: { backend: 'pods', labels: { ingress: 'shop/web', service: 'shop/web' }, ...(policy && { policy }) },
          },
        ],
      },
    ],
  ]),
})

/** An engine before one pod; `ask` sends a request and gives the answer and what the pod had. */
const engineWith = async (settings: Partial<EngineSettings>, policy?: RoutePolicy) => {
  const pod = await answeringPod((head) =>
    head.includes('/bad') ? 'HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n' : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  )
  const engine = await startEngine([], settings, { delta: { ...route(policy), backends: new Map([['pods', pods(pod.port)]]) } })
  cleanups.push(() => pod.close())
  const ask = async (target: string, ...fields: readonly string[]): Promise<string> => {
    const client = await rawClient(engine.port)
    client.send([`GET ${target} HTTP/1.1`, 'Host: shop.example', 'Connection: close', ...fields, '', ''].join('\r\n'))
    return client.closed()
  }
  let isStopped = false
  const stop = async (): Promise<void> => {
    if (!isStopped) await engine.stop()
    isStopped = true
  }
  cleanups.push(stop)
  return { engine, pod, ask, stop }
}

const lines = (path: string): readonly Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('the access log', () => {
  it('says of each request what became of it, and keeps secrets out', async () => {
    const path = join(folder(), 'access.log')
    const { ask, stop } = await engineWith({ telemetry: { accessLog: { path, sample: 1, withQuery: false } } })
    await ask('/a?token=secret', 'User-Agent: curl "x"', 'Referer: https://b.example/?token=secret', 'X-Request-ID: one')
    await stop()
    expect(lines(path)).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        client: '127.0.0.1',
        protocol: 'HTTP/1.1',
        tls: false,
        method: 'GET',
        host: 'shop.example',
        path: '/a',
        status: 200,
        durationMs: expect.any(Number),
        upstreamMs: expect.any(Number),
        requestBytes: 0,
        responseBytes: 2,
        requestId: 'one',
        ingress: 'shop/web',
        service: 'shop/web',
        backend: 'pods',
        endpoint: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        tries: 1,
        userAgent: 'curl "x"',
        referer: 'https://b.example/',
      },
    ])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('has queries when asked for', async () => {
    const path = join(folder(), 'access.log')
    const { ask, stop } = await engineWith({ telemetry: { accessLog: { path, sample: 1, withQuery: true } } })
    await ask('/a?b=c')
    await stop()
    expect(lines(path)).toMatchObject([{ path: '/a', query: '?b=c' }])
  })

  it('holds a share of requests, and every server error', async () => {
    const path = join(folder(), 'access.log')
    const { ask, stop } = await engineWith({ telemetry: { accessLog: { path, sample: 0, withQuery: false } } })
    await ask('/good')
    await ask('/bad')
    await stop()
    expect(lines(path)).toMatchObject([{ path: '/bad', status: 502 }])
  })

  it('is off for a route that asks so', async () => {
    const path = join(folder(), 'access.log')
    const { ask, stop } = await engineWith(
      { telemetry: { accessLog: { path, sample: 1, withQuery: false } } },
      { accessLog: false },
    )
    await ask('/bad')
    await stop()
    expect(lines(path)).toEqual([])
  })

  it('says at the start when it cannot be written', () => {
    expect(() => checkAccessLog(join(folder(), 'missing', 'access.log'))).toThrow(/cannot write the access log to .*ENOENT/)
  })
})

describe('traces', () => {
  const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const parentOf = (text: string | undefined): string | undefined => /^traceparent: (.*)$/im.exec(text ?? '')?.[1]

  it('are left alone when nobody asked for them', async () => {
    const { ask, pod } = await engineWith({})
    await ask('/', `traceparent: ${PARENT}`, 'tracestate: a=b')
    expect(pod.received[0]).toContain(`traceparent: ${PARENT}\r\ntracestate: a=b\r\n`)
  })

  it('are gone on with: the same trace, our span', async () => {
    const { ask, pod } = await engineWith({ telemetry: { tracing: { sample: 0, serviceName: 'fairway' } } })
    await ask('/', `TraceParent: ${PARENT}`, 'tracestate: a=b')
    const parent = parentOf(pod.received[0])
    expect(parent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
    expect(parent).not.toBe(PARENT)
    expect(pod.received[0]).toContain('tracestate: a=b')
    expect(pod.received[0]?.match(/traceparent/gi)).toHaveLength(1)
  })

  it('are begun; a state without a trace is dropped', async () => {
    const { ask, pod } = await engineWith({ telemetry: { tracing: { sample: 1, serviceName: 'fairway' } } })
    await ask('/', 'traceparent: nonsense', 'tracestate: a=b')
    expect(parentOf(pod.received[0])).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(pod.received[0]).not.toContain('tracestate')
  })

  it('reach a collector as OTLP spans', async () => {
    const bodies: string[] = []
    const collector = http.createServer((request, response) => {
      let body = ''
      request.on('data', (piece) => {
        body += piece
      })
      request.on('end', () => {
        bodies.push(`${request.url} ${body}`)
        response.end('{}')
      })
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => collector.close())
    const address = collector.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const endpoint = `http://127.0.0.1:${port}/v1/traces`
    const { ask, stop, pod } = await engineWith({ telemetry: { tracing: { sample: 1, serviceName: 'edge', endpoint } } })
    await ask('/a', `traceparent: ${PARENT}`)
    await stop()
    const [path, json] = bodies[0]?.split(' ', 1).concat(bodies[0].slice(bodies[0].indexOf(' ') + 1)) ?? []
    expect(path).toBe('/v1/traces')
    const { resourceSpans } = JSON.parse(json ?? '{}')
    const [span] = resourceSpans[0].scopeSpans[0].spans
    expect(span).toMatchObject({ traceId: PARENT.slice(3, 35), parentSpanId: PARENT.slice(36, 52), kind: 2, name: 'GET' })
    expect(parentOf(pod.received[0])).toContain(span.spanId)
    expect(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano)).toBe(true)
    expect(span.attributes).toContainEqual({ key: 'http.response.status_code', value: { intValue: '200' } })
  })

  it('never hold up a request when the collector is away', async () => {
    const { ask, stop, engine } = await engineWith({
      telemetry: { tracing: { sample: 1, serviceName: 'edge', endpoint: 'http://127.0.0.1:9/v1/traces' } },
    })
    expect(await ask('/a')).toContain('200 OK')
    await stop()
    expect(engine.dataPlane.snapshot().droppedSpans).toBe(1)
  })
})

describe('metrics', () => {
  it('count by Ingress and Service, never by what a client chose', async () => {
    const { ask, engine } = await engineWith({})
    for (const target of ['/a', '/b', '/bad']) await ask(target)
    const text = engineMetricsText(engine.dataPlane.snapshot())
    expect(text).toContain('fairway_ingress_requests_total{ingress="shop/web",service="shop/web",status="2xx"} 2\n')
    expect(text).toContain('fairway_ingress_requests_total{ingress="shop/web",service="shop/web",status="5xx"} 1\n')
    expect(text).toContain('fairway_ingress_request_duration_seconds_bucket{ingress="shop/web",service="shop/web",le="+Inf"} 3\n')
    expect(text).toContain('fairway_ingress_response_bytes_total{ingress="shop/web",service="shop/web"} 4\n')
    expect(text).not.toMatch(/shop\.example|\/bad/)
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^(?:# (?:HELP|TYPE) \S+ .+|[a-z_]+(?:\{.*\})? [0-9.e+-]+)$/)
  })
})
