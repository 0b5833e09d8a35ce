import type { RequestListener } from 'node:http'
import { createServer, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { type ApiError, configMapKind } from '../../api/index.ts'
import { silentLogger } from '../../base/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { ConnectionError } from '../client.ts'
import { makeTestCertificates } from '../testing/certificates.ts'
import { listen } from '../testing/index.ts'
import type { Connection } from './connection.ts'
import { createHttpClient, type HttpClient } from './http-client.ts'

const pki = await makeTestCertificates()

const connectionTo = (server: string, rest: Partial<Connection> = {}): Connection => ({
  server,
  tls: { ca: pki.ca, insecureSkipVerify: false },
  credentials: { kind: 'none' },
  namespace: 'default',
  ...rest,
})

const withClient = async (
  listener: RequestListener,
  test: (client: HttpClient, url: string) => Promise<void>,
  { connection = {}, timeoutMs = 5_000 }: { readonly connection?: Partial<Connection>; readonly timeoutMs?: number } = {},
): Promise<void> => {
  const front = await listen(listener, {
    cert: pki.server.cert,
    key: pki.server.key,
    ca: pki.ca,
    requestCert: true,
    rejectUnauthorized: false,
  })
  const client = createHttpClient({
    connection: connectionTo(front.url, connection),
    userAgent: 'fairway/1 (test)',
    log: silentLogger,
    timeoutMs,
  })
  try {
    await test(client, front.url)
  } finally {
    await client.close()
    await front.close()
  }
}

const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', resourceVersion: '1' } }
const ref = { namespace: 'default', name: 'a' }
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
const status = (code: number, rest: object = {}): string =>
  JSON.stringify({ kind: 'Status', status: 'Failure', message: `code ${code}`, code, ...rest })

describe('HTTP client over TLS', () => {
  it('shows its certificate and token, and sends what Kubernetes expects', () => {
    const seen: unknown[] = []
    return withClient(
      (request, response) => {
        const { subject } = (request.socket as TLSSocket).getPeerCertificate()
        seen.push([request.method, request.url, request.headers.authorization, request.headers['user-agent'], subject.CN])
        response.end(JSON.stringify(object))
      },
      async (client) => {
        expect((await client.get(configMapKind, ref)).metadata.name).toBe('a')
        expect(seen).toEqual([
          ['GET', '/api/v1/namespaces/default/configmaps/a', 'Bearer secret', 'fairway/1 (test)', 'somebody'],
        ])
      },
      {
        connection: {
          tls: { ca: pki.ca, cert: pki.client.cert, key: pki.client.key, insecureSkipVerify: false },
          credentials: { kind: 'token', token: 'secret' },
        },
      },
    )
  })

  it('refuses a server that its CA does not know, unless told not to look', async () => {
    const answer: RequestListener = (_, response) => void response.end(JSON.stringify(object))
    const tls = { ca: pki.otherCa, insecureSkipVerify: false }
    await withClient(
      answer,
      async (client) => {
        const error = await caught(client.get(configMapKind, ref))
        expect(error).toBeInstanceOf(ConnectionError)
        expect((error as Error).message).toContain("its certificate isn't trusted")
      },
      { connection: { tls } },
    )
    await withClient(answer, async (client) => void (await client.get(configMapKind, ref)), {
      connection: { tls: { insecureSkipVerify: true } },
    })
  })

  it('checks the name in the certificate, which may be given', async () => {
    const answer: RequestListener = (_, response) => void response.end(JSON.stringify(object))
    const tls = (serverName: string) => ({ connection: { tls: { ca: pki.ca, insecureSkipVerify: false, serverName } } })
    await withClient(answer, async (client) => void (await client.get(configMapKind, ref)), tls('localhost'))
    await withClient(
      answer,
      async (client) => {
        expect(((await caught(client.get(configMapKind, ref))) as Error).message).toContain('its certificate is for another name')
      },
      tls('example.com'),
    )
  })

  it('keeps the path of the server', () =>
    withClient(
      (request, response) => void response.end(JSON.stringify({ ...object, data: { url: request.url } })),
      async (_, url) => {
        const client = createHttpClient({
          connection: connectionTo(`${url}/k8s/clusters/c1/`),
          userAgent: 'x',
          log: silentLogger,
        })
        expect((await client.get(configMapKind, ref)).data?.['url']).toBe(
          '/k8s/clusters/c1/api/v1/namespaces/default/configmaps/a',
        )
        await client.close()
      },
    ))
})

describe('HTTP client: failures', () => {
  it('says that nothing answers', async () => {
    const client = createHttpClient({ connection: connectionTo('https://127.0.0.1:1'), userAgent: 'x', log: silentLogger })
    const error = await caught(client.get(configMapKind, ref))
    expect(error).toBeInstanceOf(ConnectionError)
    expect((error as Error).message).toBe('https://127.0.0.1:1: nothing answers there (ECONNREFUSED); is the API server running?')
    await client.close()
  })

  it('gives up on a server that accepts and says nothing', async () => {
    const sockets = new Set<Socket>()
    const silent = createServer((socket) => void sockets.add(socket))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const client = createHttpClient({
      connection: connectionTo(`http://127.0.0.1:${port}`),
      userAgent: 'x',
      log: silentLogger,
      timeoutMs: 200,
    })
    expect(await caught(client.get(configMapKind, ref))).toBeInstanceOf(ConnectionError)
    await client.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
  })

  it.each([
    ['a page of a proxy', 200, '<html>', 'is not JSON'],
    ['another object', 200, '{"hello": 1}', 'not an object of the API'],
    ['a list without revision', 200, '{"metadata": {}, "items": []}', 'not an object of the API'],
  ])('reports %s as no API server', (_, code, body, message) =>
    withClient(
      (_request, response) => void response.writeHead(code).end(body),
      async (client) => {
        const error = await caught(client.get(configMapKind, ref))
        expect(error).toBeInstanceOf(ConnectionError)
        expect((error as Error).message).toContain(message)
      },
    ),
  )

  it('gives the Status as it came, and text where there is none', () => {
    const answers = [
      [403, status(403, { reason: 'Forbidden', details: { kind: 'configmaps' } })],
      [502, 'bad gateway'],
    ] as const
    let next = 0
    return withClient(
      (_, response) => {
        const [code, body] = answers[next++] ?? [500, '']
        response.writeHead(code).end(body)
      },
      async (client) => {
        expect(await caught(client.get(configMapKind, ref))).toMatchObject({
          code: 403,
          reason: 'Forbidden',
          details: { kind: 'configmaps' },
        })
        expect(await caught(client.get(configMapKind, ref))).toMatchObject({ code: 502, message: 'bad gateway' })
      },
    )
  })

  it('waits as 429 says, and tries again', async () => {
    let requests = 0
    const clock = pausedClock()
    const front = await listen((_, response) => {
      if (++requests === 1) response.writeHead(429, { 'retry-after': '7' }).end(status(429))
      else response.end(JSON.stringify(object))
    })
    const client = createHttpClient({
      connection: connectionTo(front.url),
      userAgent: 'x',
      log: silentLogger,
      clock: {
        ...clock,
        setTimer: (callback, ms) => {
          expect(ms).toBe(7_000)
          queueMicrotask(callback)
          return clock.setTimer(callback, ms)
        },
      },
    })
    expect((await client.get(configMapKind, ref)).metadata.name).toBe('a')
    expect(requests).toBe(2)
    await client.close()
    await front.close()
  })

  it('reads once more when a kept connection is closed under it, but writes nothing twice', () => {
    let requests = 0
    return withClient(
      (request, response) => {
        requests++
        if (requests % 2 === 0) request.socket.destroy()
        else response.end(JSON.stringify(object))
      },
      async (client) => {
        await client.get(configMapKind, ref)
        await client.get(configMapKind, ref)
        expect(requests).toBe(3)
        expect(await caught(client.create(configMapKind, { metadata: ref }))).toBeInstanceOf(ConnectionError)
        expect(requests).toBe(4)
      },
    )
  })
})

describe('HTTP client: watches', () => {
  const collect = async (client: HttpClient): Promise<readonly string[]> => {
    const seen: string[] = []
    const stop = new AbortController()
    for await (const event of client.watch(configMapKind, { signal: stop.signal })) {
      seen.push(event.type === 'BOOKMARK' ? `bookmark ${event.resourceVersion}` : `${event.type} ${event.object.metadata.name}`)
    }
    return seen
  }
  const line = (type: string, value: unknown = object): string => `${JSON.stringify({ type, object: value })}\n`

  it('reads events that come in pieces, and several in one piece', () => {
    const text =
      line('ADDED', { ...object, metadata: { ...object.metadata, name: 'äöü' } }) +
      line('MODIFIED') +
      line('BOOKMARK', { metadata: { resourceVersion: '9' } })
    return withClient(
      async (_, response) => {
        const bytes = Buffer.from(text)
        for (let start = 0; start < bytes.length; start += 7) {
          response.write(bytes.subarray(start, start + 7))
          if (start % 70 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        response.end()
      },
      async (client) => expect(await collect(client)).toEqual(['ADDED äöü', 'MODIFIED a', 'bookmark 9']),
    )
  })

  it.each([
    ['410 as the answer', 410, status(410, { reason: 'Expired' })],
    ['410 in the stream', 200, line('ERROR', JSON.parse(status(410, { reason: 'Expired' })))],
  ])('throws Expired for %s', (_, code, body) =>
    withClient(
      (_request, response) => void response.writeHead(code).end(body),
      async (client) =>
        expect(await caught(collect(client))).toMatchObject({ code: 410, reason: 'Expired' } satisfies Partial<ApiError>),
    ),
  )

  it.each([
    ['a stream that breaks', `${line('ADDED')}{"type":"ADD`],
    ['a line that is no event', `${line('ADDED')}[1]\n`],
    ['an event of an unknown type', line('EXPLODED')],
    ['an event without object', line('ADDED', null)],
  ])('throws ConnectionError for %s', (_, body) =>
    withClient(
      (_request, response) => void response.end(body),
      async (client) => expect(await caught(collect(client))).toBeInstanceOf(ConnectionError),
    ),
  )

  it('ends a request that waits when the signal aborts', () =>
    withClient(
      () => {},
      async (client) => {
        const stop = new AbortController()
        const next = client.watch(configMapKind, { signal: stop.signal })[Symbol.asyncIterator]().next()
        stop.abort()
        expect(await next).toMatchObject({ done: true })
      },
    ))
})
