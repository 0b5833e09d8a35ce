import { Agent, request } from 'undici'
import { errorMessage } from '../../../../base/index.ts'
import { type Credentials, redact, secretsOf } from './credentials.ts'
import { CloudError, failureOf } from './errors.ts'
import { authorization, CONTENT_TYPE } from './sign.ts'

export interface TransportOptions {
  readonly region: string
  readonly credentials: Credentials
  /** Where all services are, such as `http://127.0.0.1:8089`; by default each has its own host. */
  readonly endpoint?: string
  readonly timeoutMs: number
  /** Milliseconds since the Unix epoch, for signatures. */
  readonly now: () => number
}

export interface ApiCall {
  readonly service: 'clb' | 'cvm' | 'tag'
  readonly action: string
  readonly params: Readonly<Record<string, unknown>>
}

export interface Answer {
  readonly response: Readonly<Record<string, unknown>>
  readonly requestId: string
}

/** One signed request and its answer. Rejects with `CloudError`; with the signal's reason when it was aborted before the answer. */
export interface Transport {
  send(call: ApiCall, signal: AbortSignal): Promise<Answer>
  close(): Promise<void>
}

const VERSIONS = { clb: '2018-03-17', cvm: '2017-03-12', tag: '2018-08-13' } as const
const MAX_ANSWER_BYTES = 16_000_000

export const createTransport = (options: TransportOptions): Transport => {
  const agent = new Agent({ connections: 32, maxResponseSize: MAX_ANSWER_BYTES, keepAliveTimeout: 30_000 })
  return {
    async send(call, signal) {
      const text = await post(options, agent, call, signal)
      return readAnswer(options, call, text)
    },
    close: () => agent.close(),
  }
}

const post = async (options: TransportOptions, agent: Agent, call: ApiCall, signal: AbortSignal): Promise<string> => {
  const url = new URL(options.endpoint ?? `https://${call.service}.tencentcloudapi.com`)
  const body = JSON.stringify(call.params)
  const timeout = AbortSignal.timeout(options.timeoutMs)
  try {
    const answer = await request(url.origin, {
      dispatcher: agent,
      method: 'POST',
      headers: headersOf(options, call, { host: url.hostname, body }),
      body,
      signal: AbortSignal.any([signal, timeout]),
    })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw unavailable(call, `the API answered HTTP ${answer.statusCode}`)
    return text
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof CloudError) throw error
    const why = timeout.aborted ? `no answer within ${options.timeoutMs} ms` : redact(errorMessage(error), options.credentials)
    throw unavailable(call, why)
  }
}

const headersOf = (
  { region, credentials, now }: TransportOptions,
  { service, action }: ApiCall,
  { host, body }: { readonly host: string; readonly body: string },
): Record<string, string> => {
  const timestamp = Math.floor(now() / 1_000)
  const { token } = secretsOf(credentials)
  return {
    'content-type': CONTENT_TYPE,
    'x-tc-action': action,
    'x-tc-version': VERSIONS[service],
    'x-tc-region': region,
    'x-tc-timestamp': String(timestamp),
    ...(token === undefined ? {} : { 'x-tc-token': token }),
    authorization: authorization({ service, host, body, timestamp }, credentials),
  }
}

/** No cause is kept: it may quote the request with its headers. */
const unavailable = ({ action }: ApiCall, why: string): CloudError =>
  new CloudError('unavailable', `${action}: ${why}`, { action, code: '' })

const readAnswer = ({ credentials }: TransportOptions, call: ApiCall, text: string): Answer => {
  const response = responseOf(text)
  if (response === undefined) throw unavailable(call, 'the answer is not that of the API')
  const requestId = typeof response['RequestId'] === 'string' ? response['RequestId'] : ''
  const error = response['Error']
  if (!isRecord(error)) return { response, requestId }
  const code = String(error['Code'] ?? '')
  const said = redact(String(error['Message'] ?? '').slice(0, 500), credentials)
  const message = requestId === '' ? said : said.replaceAll(requestId, '').trim()
  throw new CloudError(failureOf(code), `${call.action}: ${code}: ${message}`, { action: call.action, code, requestId })
}

const responseOf = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    const response = isRecord(value) ? value['Response'] : undefined
    return isRecord(response) ? response : undefined
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
