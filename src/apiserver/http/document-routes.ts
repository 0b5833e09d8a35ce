import { type Discovery, negotiateDiscovery } from '../discovery/index.ts'
import type { PathInfo } from '../request-info.ts'
import { methodNotAllowed, pageNotFound } from '../rest/index.ts'
import type { Exchange } from './exchange.ts'
import { sendBytes, sendJson, sendText } from './respond.ts'

/** A document ready to be sent. */
interface Document {
  readonly body: Buffer
  readonly contentType: string
  /** Quoted, as in the header. */
  readonly etag: string
}

/** One check of the server's health; returns what is wrong. */
export interface HealthCheck {
  readonly name: string
  check(): string | undefined
}

export interface DocumentOptions {
  readonly discovery: Discovery
  readonly openApi: (path: string) => Document | undefined
  readonly version: Readonly<Record<string, string>>
  readonly checks: readonly HealthCheck[]
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
}

/** Answers requests that are not for resources. Throws `ApiError`. */
export const createDocumentRoute = (options: DocumentOptions) => {
  return async ({ request, response }: Exchange, info: PathInfo): Promise<void> => {
    const { path } = info
    if (info.verb !== 'get' && info.verb !== 'head') {
      throw methodNotAllowed('the server does not allow this method on the requested resource')
    }
    const health = /^\/(?:healthz|livez|readyz)(?:\/([a-z-]+))?$/.exec(path)
    if (health !== null) return sendHealth(response, options.checks, { name: path.slice(1), only: health[1], query: info.query })
    if (path === '/version') return sendJson(response, 200, options.version)
    if (path === '/metrics') {
      const { text, contentType } = await options.metrics()
      return sendText(response, 200, text, contentType)
    }
    const document = options.openApi(path) ?? options.discovery.document(path, negotiateDiscovery(request.headers.accept))
    if (document === undefined) throw pageNotFound()
    sendDocument(response, request.headers['if-none-match'], document, info.query['hash'] !== undefined)
  }
}

const YEAR_SECONDS = 31_536_000

/** Documents are named by their hash where the client gives it, and may then be kept for ever. */
const sendDocument = (
  response: Exchange['response'],
  ifNoneMatch: string | undefined,
  ...[document, isHashed]: readonly [Document, boolean]
): void => {
  const headers = {
    etag: document.etag,
    vary: 'Accept',
    'content-type': document.contentType,
    'cache-control': isHashed ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache, private',
  }
  if (ifNoneMatch === document.etag) {
    response.writeHead(304, headers)
    response.end()
    return
  }
  sendBytes(response, 200, headers, document.body)
}

interface HealthRequest {
  readonly name: string
  readonly only: string | undefined
  readonly query: Readonly<Record<string, string>>
}

const sendHealth = (response: Exchange['response'], checks: readonly HealthCheck[], request: HealthRequest): void => {
  const wanted = request.only === undefined ? checks : checks.filter((check) => check.name === request.only)
  if (wanted.length === 0) throw pageNotFound()
  const results = wanted.map((check) => ({ name: check.name, problem: check.check() }))
  const isHealthy = results.every((result) => result.problem === undefined)
  if (isHealthy && request.query['verbose'] === undefined) {
    sendText(response, 200, 'ok')
    return
  }
  const lines = results.map(({ name, problem }) => (problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`))
  const verdict = `${request.name} check ${isHealthy ? 'passed' : 'failed'}`
  sendText(response, isHealthy ? 200 : 500, `${[...lines, verdict].join('\n')}\n`)
}
