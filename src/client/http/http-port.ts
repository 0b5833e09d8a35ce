import { type Dispatcher, Pool } from 'undici'
import { ApiError } from '../../api/index.ts'
import { type Clock, errorCode, errorMessage, type Logger, sleep, UserError } from '../../base/index.ts'
import type { ApiAnswer, ApiPort, ApiRequest, RawWatchEvent } from '../api-port.ts'
import { ConnectionError } from '../client.ts'
import { apiErrorOf, isRecord } from '../response.ts'
import type { Connection, Identity } from './connection.ts'
import { createIdentitySource } from './credentials.ts'
import { readLines } from './lines.ts'
import { requestPath } from './path.ts'

export interface HttpPortOptions {
  readonly connection: Connection
  readonly userAgent: string
  readonly clock: Clock
  readonly log: Logger
  /** 30 s when left out: until the headers come, and between two pieces of a body. */
  readonly timeoutMs?: number
}

/** The API of another process; `close` ends its connections, watches too. */
export interface HttpPort extends ApiPort {
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 10_000
const BODY_LIMIT = 256 << 20
const LINE_LIMIT = 32 << 20
const ATTEMPTS = 8
const MAX_RETRY_AFTER_SECONDS = 60

/** A port that speaks HTTP; the identity comes from the connection, not from the request. */
export const createHttpPort = (options: HttpPortOptions): HttpPort => {
  const { connection, clock, log } = options
  const { origin, pathname } = new URL(connection.server)
  const prefix = pathname.replace(/\/+$/, '')
  const identities = createIdentitySource(connection.credentials, clock)
  const pools = createPools(connection, origin, options.timeoutMs ?? 30_000)

  const send = async (request: ApiRequest): Promise<Dispatcher.ResponseData> => {
    const identity = await identities.current()
    const message = { path: requestPath(prefix, request), ...payload(request), headers: headersOf(options, request, identity) }
    const { signal } = request
    try {
      return await pools.of(identity).request({
        ...message,
        ...(signal ? { signal } : {}),
        ...(isStreamed(request) ? { bodyTimeout: 0 } : {}),
      })
    } catch (error) {
      throw connectionError(connection.server, error)
    }
  }
  const exchange = async (request: ApiRequest): Promise<ApiAnswer> => {
    const response = await sendTwiceIfReset(send, request)
    if (response.statusCode >= 400) throw await refusal(response, connection.server)
    for (const warning of warningsOf(response)) log.info('the API server warns', { warning, resource: request.resource })
    if (request.verb === 'watch') return { kind: 'watch', events: watchEvents(response, connection.server) }
    if (request.subresource === 'log') return { kind: 'stream', contentType: 'text/plain', chunks: response.body }
    const object = parseJson(await readBody(response, connection.server), connection.server)
    return { kind: 'object', code: response.statusCode, object, warnings: warningsOf(response) }
  }
  return {
    async execute(request) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await exchange(request)
        } catch (error) {
          const delayMs = retryInMs(error, { request, attempt, refuse: identities.refuse })
          if (delayMs === undefined || request.signal?.aborted) throw error
          await sleep(clock, delayMs, request.signal)
        }
      }
    },
    close: pools.close,
  }
}

/** May say nothing for a long time. */
const isStreamed = ({ verb, subresource }: ApiRequest): boolean => verb === 'watch' || subresource === 'log'

interface Pools {
  /** Connections are made as somebody: another client certificate needs other connections. */
  of(identity: Identity): Pool
  close(): Promise<void>
}

const createPools = ({ tls }: Connection, origin: string, timeoutMs: number): Pools => {
  let current: { readonly cert: string | undefined; readonly pool: Pool } | undefined
  const closing = new Set<Promise<void>>()
  const open = ({ cert = tls.cert, key = tls.key }: Identity): Pool =>
    new Pool(origin, {
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        rejectUnauthorized: !tls.insecureSkipVerify,
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      },
    })
  return {
    of(identity) {
      if (current && current.cert === identity.cert) return current.pool
      // The old ones may still carry requests; they end by themselves.
      if (current) {
        const ended = current.pool.close().finally(() => closing.delete(ended))
        closing.add(ended)
      }
      current = { cert: identity.cert, pool: open(identity) }
      return current.pool
    },
    async close() {
      await current?.pool.destroy()
      await Promise.all(closing)
    },
  }
}

const METHODS = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
} as const

const PATCH_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

const payload = ({ verb, body }: ApiRequest): { readonly method: Dispatcher.HttpMethod; readonly body?: string } => ({
  method: METHODS[verb],
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
})

const headersOf = (
  { userAgent }: HttpPortOptions,
  { body, patchType }: ApiRequest,
  { authorization }: Identity,
): Readonly<Record<string, string>> => ({
  accept: 'application/json',
  'user-agent': userAgent,
  ...(body === undefined ? {} : { 'content-type': patchType ? PATCH_TYPES[patchType] : 'application/json' }),
  ...(authorization === undefined ? {} : { authorization }),
})

/** A kept connection may be closed by the server just as a request goes out on it: reading again does no harm. */
const sendTwiceIfReset = async (
  send: (request: ApiRequest) => Promise<Dispatcher.ResponseData>,
  request: ApiRequest,
): Promise<Dispatcher.ResponseData> => {
  try {
    return await send(request)
  } catch (error) {
    const isRead = request.verb === 'get' || request.verb === 'list' || request.verb === 'watch'
    const isReset =
      error instanceof ConnectionError && ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(errorCode(error.cause) ?? '')
    if (!isRead || !isReset || request.signal?.aborted) throw error
    return send(request)
  }
}

interface Attempt {
  readonly request: ApiRequest
  readonly attempt: number
  refuse(): boolean
}

const retryInMs = (error: unknown, { request, attempt, refuse }: Attempt): number | undefined => {
  if (!(error instanceof ApiError) || attempt >= ATTEMPTS) return undefined
  if (error.code === 401) return attempt === 1 && refuse() ? 0 : undefined
  // Watches have their own back-off in the reflector.
  const seconds = error.details?.retryAfterSeconds
  if (request.verb === 'watch' || error.code !== 429 || seconds === undefined) return undefined
  return Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000
}

const readBody = async ({ body }: Dispatcher.ResponseData, server: string): Promise<string> => {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > BODY_LIMIT) throw new ConnectionError(`${server} answered with more than ${BODY_LIMIT} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw connectionError(server, error)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const parseJson = (text: string, server: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConnectionError(`${server} answered with something that is not JSON; is it an API server?`, { cause: error })
  }
}

const refusal = async (response: Dispatcher.ResponseData, server: string): Promise<ApiError> => {
  const text = await readBody(response, server)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = { kind: 'Status', message: text.trim().slice(0, 200) || `the server answered ${response.statusCode}` }
  }
  const error = apiErrorOf(value, response.statusCode)
  const seconds = Number(response.headers['retry-after'])
  if (error.details?.retryAfterSeconds !== undefined || !Number.isInteger(seconds) || seconds < 0) return error
  const { code, reason, message, details } = error
  return new ApiError({ code, message, ...(reason ? { reason } : {}), details: { ...details, retryAfterSeconds: seconds } })
}

async function* watchEvents({ body }: Dispatcher.ResponseData, server: string): AsyncGenerator<RawWatchEvent> {
  try {
    for await (const line of readLines(body as AsyncIterable<Uint8Array>, LINE_LIMIT)) {
      const event = parseJson(line.toString('utf8'), server)
      if (!isRecord(event) || typeof event['type'] !== 'string')
        throw new ConnectionError(`${server} sent something that is no watch event`)
      // The client refuses types that it doesn't know.
      yield { type: event['type'] as RawWatchEvent['type'], object: event['object'] }
    }
  } catch (error) {
    throw connectionError(server, error)
  } finally {
    body.destroy()
  }
}

/** `299 - "text"`, possibly several in one header. */
const warningsOf = ({ headers }: Dispatcher.ResponseData): readonly string[] => {
  const values = [headers['warning'] ?? []].flat()
  return values.flatMap((value) =>
    [...value.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1')),
  )
}

const connectionError = (server: string, error: unknown): Error => {
  if (error instanceof ConnectionError || error instanceof ApiError || error instanceof UserError) return error
  return new ConnectionError(`${server}: ${explained(error)}`, { cause: error })
}

const explained = (error: unknown): string => {
  const code = errorCode(error) ?? ''
  if (code === 'ECONNREFUSED') return 'nothing answers there (ECONNREFUSED); is the API server running?'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name can't be resolved (${code})`
  if (CERTIFICATE_CODES.has(code))
    return `its certificate isn't trusted (${code}); does the certificate-authority belong to this server?`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for another name (${errorMessage(error)})`
  return code && !errorMessage(error).includes(code) ? `${errorMessage(error)} (${code})` : errorMessage(error)
}

const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
])
