import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { errorMessage, VERSION } from '../../../base/index.ts'
import { AcmeFailure, failureOf, readProblem } from './failure.ts'
import { readRetryAfter } from './retry-after.ts'

/** How requests of one piece of work travel. */
export interface Journey {
  /** PEM of the authorities that the server's certificate is checked against; the system's when left out. */
  readonly ca?: string
  readonly signal: AbortSignal
  readonly nowMs: () => number
}

/** What we read of a request of the ACME library, which speaks axios. */
interface OutgoingRequest {
  readonly url?: string | undefined
  readonly method?: string | undefined
  readonly headers?: unknown
  readonly data?: unknown
}

interface Answer<C> {
  readonly status: number
  readonly statusText: string
  readonly headers: Record<string, string>
  readonly data: unknown
  readonly config: C
}

const journeys = new AsyncLocalStorage<Journey>()

/** Runs `work`, whose requests to the ACME server travel by `journey`. */
export const travelling = <T>(journey: Journey, work: () => Promise<T>): Promise<T> => journeys.run(journey, work)

const TIMEOUT_MS = 30_000
const LARGEST_ANSWER_BYTES = 1 << 20
const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce'

/**
 * Carries the requests of the ACME library, in place of its own HTTP client: that one waits minutes by itself, hides why nobody answered, and has one set of authorities for the
 * whole process. Rejects with `AcmeFailure` for every answer that is an error, but for those of a bad nonce, which the library repeats.
 */
export const sendToServer = async <C extends OutgoingRequest>(config: C): Promise<Answer<C>> => {
  const journey = journeys.getStore()
  if (journey === undefined) throw new Error('a request to an ACME server without a journey')
  const { status, headers, body } = await exchange(config, journey)
  const data = contentOf(headers['content-type'], body)
  if (status >= 300) {
    const problem = readProblem(data)
    if (problem.type !== BAD_NONCE || status !== 400)
      throw failureOf(status, problem, readRetryAfter(headers['retry-after'], journey.nowMs()))
  }
  return { status, statusText: '', headers: plain(headers), data, config }
}

interface Exchange {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const exchange = ({ url = '', method = 'GET', headers, data }: OutgoingRequest, journey: Journey): Promise<Exchange> =>
  new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new AcmeFailure('unreachable', `no answer from the ACME server: ${why}`))
    if (!url.startsWith('https://')) return fail(`${url} is not an https URL`)
    const signal = AbortSignal.any([journey.signal, AbortSignal.timeout(TIMEOUT_MS)])
    const body = typeof data === 'string' ? data : undefined
    const sent = request(url, {
      method: method.toUpperCase(),
      headers: {
        ...stringFields(headers),
        'user-agent': `fairway/${VERSION}`,
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      },
      signal,
      ...(journey.ca === undefined ? {} : { ca: journey.ca }),
    })
    sent.on('error', (error) =>
      fail(signal.aborted && !journey.signal.aborted ? `none within ${TIMEOUT_MS / 1_000} s` : errorMessage(error)),
    )
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > LARGEST_ANSWER_BYTES) sent.destroy(new Error('its answer is too long'))
        else chunks.push(chunk)
      })
      response.on('error', (error) => fail(errorMessage(error)))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    sent.end(body)
  })

const contentOf = (type: string | undefined, body: string): unknown => {
  if (!/[/+]json\b/.test(type ?? '')) return body
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

const stringFields = (headers: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(headers ?? {}).filter((field): field is [string, string] => typeof field[1] === 'string'))

const plain = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  )
