import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Clock, sleep } from '../../base/index.ts'
import { authenticate, type Credential } from './authentication.ts'
import type { Cloud } from './cloud.ts'
import { CloudError } from './errors.ts'

interface Deps {
  readonly cloud: Cloud
  readonly credentials: readonly Credential[]
  readonly clock: Clock
}

/** Answers one call of the API: `POST /` with JSON, signed. */
export const serveCall = async (
  request: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array,
  deps: Deps,
): Promise<void> => {
  const { clock, cloud, credentials } = deps
  const header = (name: string): string | undefined => request.headers[name]?.toString()
  const parsed = parseJson(body)
  const reply = cloud.call(
    {
      version: header('x-tc-version') ?? '',
      action: header('x-tc-action') ?? '',
      region: header('x-tc-region'),
      request: parsed.value,
    },
    () => {
      if (header('x-tc-action') === undefined) throw new CloudError('MissingParameter', 'The header X-TC-Action is missing.')
      authenticate({ method: 'POST', path: '/', query: '', headers: headersOf(request), body }, credentials, clock.now())
      if (parsed.isBroken) throw new CloudError('InvalidRequest', 'The body is not JSON.')
    },
  )
  if (reply.kind === 'cut') return void request.socket.destroy()
  if (reply.kind === 'outage') return void response.writeHead(reply.status, { 'content-type': 'text/plain' }).end('outage\n')
  if (reply.delayMs > 0) await sleep(clock, reply.delayMs)
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ Response: reply.response }))
}

const headersOf = ({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()]))

const parseJson = (body: Uint8Array): { readonly value: unknown; readonly isBroken: boolean } => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    return { value: text === '' ? {} : JSON.parse(text), isBroken: false }
  } catch {
    return { value: {}, isBroken: true }
  }
}
