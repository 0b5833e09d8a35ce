import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { aborted, errorMessage, type Running, UserError } from '../../base/index.ts'
import type { Explanation } from '../../ingress/index.ts'
import type { Listen } from './settings.ts'

/** What the process can say of itself. */
export interface Condition {
  /** Undefined when it is ready; else what is missing. */
  notReady(): string | undefined
}

/** `/healthz`: the process lives. `/readyz`: traffic may come; 503 with the reason while it may not. */
export const healthHandler = ({ notReady }: Condition): RequestListener =>
  answering({
    '/healthz': () => ({ code: 200, body: 'ok\n' }),
    '/readyz': () => {
      const reason = notReady()
      return reason === undefined ? { code: 200, body: 'ok\n' } : { code: 503, body: `${reason}\n` }
    },
  })

export interface Insight {
  /** In Prometheus' text format. */
  metrics(): Promise<string>
  explain(url: string, headers: readonly string[]): Explanation | undefined
}

/** `/metrics`, and `/explain?target=URL` as `fairway explain --proxy` asks. */
export const insightHandler = ({ metrics, explain }: Insight): RequestListener =>
  answering({
    '/metrics': async () => ({ code: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await metrics() }),
    '/explain': (url) => {
      const target = url.searchParams.get('target') ?? ''
      const explanation = explain(target, url.searchParams.getAll('header'))
      const type = 'application/json'
      if (explanation === undefined)
        return { code: 400, type, body: JSON.stringify({ error: `"${target}" is not a URL that the Ingress could serve` }) }
      return { code: 200, type, body: JSON.stringify({ kind: 'ingress', explanation }) }
    },
  })

interface Answer {
  readonly code: number
  readonly type?: string
  readonly body: string
}

const answering =
  (paths: Readonly<Record<string, (url: URL) => Answer | Promise<Answer>>>): RequestListener =>
  ({ method, url: target = '/' }, response) => {
    const url = URL.canParse(target, 'http://ingress') ? new URL(target, 'http://ingress') : undefined
    const found = url !== undefined && Object.hasOwn(paths, url.pathname) ? paths[url.pathname] : undefined
    if (url === undefined || found === undefined) return send(response, { code: 404, body: 'no such path\n' })
    if (method !== 'GET' && method !== 'HEAD') return send(response, { code: 405, body: 'only GET\n' })
    Promise.resolve()
      .then(() => found(url))
      .then((answer) => send(response, answer))
      .catch(() => send(response, { code: 500, body: 'internal error\n' }))
  }

const send = (response: ServerResponse, { code, type = 'text/plain; charset=utf-8', body }: Answer): void => {
  response.writeHead(code, { 'content-type': type, 'x-content-type-options': 'nosniff' })
  response.end(body)
}

/** Serves until `signal` aborts; rejects with `UserError` when the address cannot be had. */
export const serveOn = async (
  flag: string,
  { address, port }: Listen,
  handler: RequestListener,
  signal: AbortSignal,
): Promise<Running & { readonly port: number }> => {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 1_000 }, handler)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port, exclusive: true }, resolve)
  }).catch((error: unknown) => {
    throw new UserError(`${flag} ${address}:${port} cannot be had: ${errorMessage(error)}; choose another address`, {
      cause: error,
    })
  })
  server.on('error', () => {})
  const closed = async (): Promise<void> => {
    await aborted(signal)
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }
  // A server that listens on a port has one.
  return { port: (server.address() as AddressInfo).port, stopped: closed() }
}
