import { ApiError } from '../api/index.ts'
import { type Clock, errorMessage, type Logger } from '../base/index.ts'
import { accessForbidden, authenticate, authorize } from './authentication/index.ts'
import { type Exchange, type Filter, infoOf, userOf } from './http/exchange.ts'
import { sendFailure } from './http/respond.ts'
import type { ServerMetrics } from './metrics.ts'
import { type RequestInfo, requestInfo } from './request-info.ts'
import { type Access, internalError, tooManyRequests, unauthorized } from './rest/index.ts'

export interface FilterOptions {
  readonly log: Logger
  readonly clock: Clock
  readonly metrics: ServerMetrics
  readonly inFlight: InFlight
  /** Whether a resource is known: only those become labels of metrics, as anyone could make up millions of others. */
  readonly isServed: (info: RequestInfo) => boolean
  /** Answers what comes through. */
  readonly route: (exchange: Exchange) => Promise<void>
}

/** How many requests are being answered. */
export interface InFlight {
  requests: number
  longRunning: number
}

const MAX_IN_FLIGHT = 800

/** Every step of answering a request over HTTP, in order. */
export const createFilters = (options: FilterOptions): readonly Filter[] => [
  withMetrics(options),
  withFailures(options),
  withRequestInfo,
  withLimit(options),
  withAuthentication,
  withAuthorization,
  async (exchange) => options.route(exchange),
]

/** Runs an exchange through the filters. */
export const runFilters = (filters: readonly Filter[], exchange: Exchange): Promise<void> => {
  const run = async (index: number): Promise<void> => {
    await filters[index]?.(exchange, () => run(index + 1))
  }
  return run(0)
}

const withMetrics =
  ({ metrics, clock, log, isServed }: FilterOptions): Filter =>
  async (exchange, next) => {
    await next()
    const seconds = (clock.monotonic() - exchange.startedMs) / 1000
    const code = exchange.response.statusCode
    metrics.request(
      { ...labelsOf(exchange.info !== undefined && isServed(exchange.info) ? exchange.info : undefined), code },
      seconds,
    )
    log.debug('apiserver: answered', { ...exchange.info, query: undefined, code, seconds, user: exchange.user?.name })
  }

const labelsOf = (info: RequestInfo | undefined) => {
  if (info?.kind !== 'resource') return { verb: info?.verb ?? '', group: '', version: '', resource: '', subresource: '' }
  const { verb, group, version, resource, subresource = '' } = info
  return { verb, group, version, resource, subresource }
}

/** Turns whatever is thrown into a Status. */
const withFailures =
  ({ log }: FilterOptions): Filter =>
  async (exchange, next) => {
    try {
      await next()
    } catch (error) {
      const failure = asApiError(error)
      if (failure.code >= 500)
        log.warn('apiserver: request failed', { ...exchange.info, query: undefined, error: errorMessage(error) })
      // After the headers only the end of the stream can tell the client.
      if (exchange.response.headersSent) exchange.response.destroy()
      else sendFailure(exchange.response, failure)
    }
  }

const asApiError = (error: unknown): ApiError => {
  if (error instanceof ApiError) return error
  // The stack is too small only for what is nested absurdly.
  if (error instanceof RangeError)
    return new ApiError({ code: 400, reason: 'BadRequest', message: 'the object is nested too deeply' })
  return internalError(errorMessage(error))
}

const withRequestInfo: Filter = async (exchange, next) => {
  exchange.info = requestInfo(exchange.request.method ?? 'GET', exchange.request.url ?? '/')
  await next()
}

/** Refuses more requests than can be answered at a time; watches and logs do not count. */
const withLimit =
  ({ inFlight }: FilterOptions): Filter =>
  async (exchange, next) => {
    const field = isLongRunning(infoOf(exchange)) ? 'longRunning' : 'requests'
    if (inFlight.requests >= MAX_IN_FLIGHT && field === 'requests') {
      throw tooManyRequests('too many requests, please try again later')
    }
    inFlight[field]++
    try {
      await next()
    } finally {
      inFlight[field]--
    }
  }

const isLongRunning = (info: RequestInfo): boolean =>
  info.kind === 'resource' && (info.verb === 'watch' || info.subresource === 'log')

/** What may be read without saying who one is. */
const PUBLIC_PATHS = new Set(['/healthz', '/livez', '/readyz', '/version'])

const withAuthentication: Filter = async (exchange, next) => {
  exchange.user = authenticate(exchange.connection)
  if (exchange.user === undefined && !isPublic(exchange)) throw unauthorized()
  await next()
}

const isPublic = (exchange: Exchange): boolean => {
  const info = infoOf(exchange)
  return info.kind === 'path' && info.verb === 'get' && (PUBLIC_PATHS.has(info.path) || isHealthCheck(info.path))
}

/** One check of a health endpoint, such as `/readyz/ping`. */
const isHealthCheck = (path: string): boolean => /^\/(healthz|livez|readyz)\/[a-z-]+$/.test(path)

const withAuthorization: Filter = async (exchange, next) => {
  const user = userOf(exchange)
  const access = accessOf(infoOf(exchange))
  if (!isPublic(exchange) && !authorize(user, access)) throw accessForbidden(user, access)
  await next()
}

const accessOf = (info: RequestInfo): Access => {
  if (info.kind === 'path') return { verb: info.verb, path: info.path }
  const { verb, group, resource, subresource, namespace, name } = info
  return {
    verb,
    group,
    resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  }
}
