import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { ApiError } from '../../api/index.ts'
import type { ApiPort, ApiRequest, Verb } from '../api-port.ts'

/** A server on loopback, for tests of the HTTP side. */
export interface HttpFront {
  readonly url: string
  /** Ends connections, those of watches too. */
  close(): Promise<void>
}

/** Serves `listener`; over TLS when it gets a certificate. */
export const listen = async (listener: RequestListener, tls?: ServerOptions): Promise<HttpFront> => {
  const server: Server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Gives what arrives by HTTP to a port: the least of an API server's HTTP side. */
export const serveApi = (port: ApiPort): Promise<HttpFront> =>
  listen((request, response) => {
    answer(port, request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy()
      const failure = error instanceof ApiError ? error : new ApiError({ code: 500, message: String(error) })
      response.writeHead(failure.code, { 'content-type': 'application/json' }).end(JSON.stringify(failure.status))
    })
  })

const answer = async (port: ApiPort, incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
  const stop = new AbortController()
  response.on('close', () => stop.abort())
  const outcome = await port.execute({ ...(await parse(incoming)), signal: stop.signal })
  if (outcome.kind === 'object') {
    response.writeHead(outcome.code, { 'content-type': 'application/json' }).end(JSON.stringify(outcome.object))
  } else if (outcome.kind === 'watch') {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    for await (const event of outcome.events) response.write(`${JSON.stringify(event)}\n`)
    response.end()
  }
}

const PATCH_TYPES: Readonly<Record<string, ApiRequest['patchType']>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
}

const parse = async (incoming: IncomingMessage): Promise<ApiRequest> => {
  const url = new URL(incoming.url ?? '/', 'http://front')
  const [, root, ...rest] = url.pathname.split('/').map(decodeURIComponent)
  const group = root === 'api' ? '' : (rest.shift() ?? '')
  const version = rest.shift() ?? ''
  const namespace = rest[0] === 'namespaces' && rest.length > 2 ? rest.splice(0, 2)[1] : undefined
  const [resource = '', name, subresource] = rest
  const query = Object.fromEntries(url.searchParams)
  const text = Buffer.concat(await incoming.toArray()).toString('utf8')
  const patchType = PATCH_TYPES[incoming.headers['content-type'] ?? '']
  return {
    verb: verbOf(incoming.method ?? 'GET', name, query),
    group,
    version,
    resource,
    query,
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(text === '' ? {} : { body: JSON.parse(text) }),
    ...(patchType ? { patchType } : {}),
    user: { name: 'test', groups: [] },
    userAgent: incoming.headers['user-agent'] ?? '',
  }
}

const verbOf = (method: string, name: string | undefined, query: Readonly<Record<string, string>>): Verb => {
  if (method === 'POST') return 'create'
  if (method === 'PUT') return 'update'
  if (method === 'PATCH') return 'patch'
  if (method === 'DELETE') return name === undefined ? 'deletecollection' : 'delete'
  if (query['watch'] === 'true') return 'watch'
  return name === undefined ? 'list' : 'get'
}
