import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { Calls } from './calls.ts'
import { type Certificates, certificateUpload } from './certificates.ts'
import type { Cloud } from './cloud.ts'
import { CloudError } from './errors.ts'
import { type Faults, faultShape } from './faults.ts'
import type { Forwarding } from './forwarding/contract.ts'
import { renderPage } from './page.ts'
import { viewOf } from './view.ts'

export interface ControlDeps {
  readonly cloud: Cloud
  readonly faults: Faults
  readonly calls: Calls
  readonly certificates: Certificates
  readonly forwarding: Forwarding
  readonly region: string
}

interface Answer {
  readonly status: number
  readonly type: 'application/json' | 'text/html; charset=utf-8'
  readonly body: string
}

/** Serves `/_emulator/…`: what is ours and no part of the cloud's API. */
export const serveControl = (request: IncomingMessage, response: ServerResponse, body: Uint8Array, deps: ControlDeps): void => {
  const { status, type, body: text } = answerOf(request, body, deps)
  response
    .writeHead(status, {
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    })
    .end(text)
}

const answerOf = (request: IncomingMessage, body: Uint8Array, deps: ControlDeps): Answer => {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  if (!isOwnHost(request.headers.host ?? '')) return problem(403, 'the host must be an address or localhost')
  const isWrite = request.method !== 'GET' && request.method !== 'HEAD'
  // A page of another origin cannot send this type, or DELETE, without asking first; it is never allowed.
  if (request.method === 'POST' && request.headers['content-type']?.split(';')[0] !== 'application/json')
    return problem(415, 'the content type must be application/json')
  if (isWrite && request.headers.origin !== undefined) return problem(403, 'writes from web pages are refused')
  try {
    return route(`${request.method} ${path}`, body, deps)
  } catch (error) {
    if (error instanceof CloudError) return problem(400, error.message)
    if (error instanceof SyntaxError) return problem(400, 'the body is not JSON')
    throw error
  }
}

/** A name that somebody else's DNS leads here would let their page read ours. */
const isOwnHost = (host: string): boolean => {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return name === 'localhost' || isIP(name) !== 0
}

const FAULT = /^DELETE \/_emulator\/faults\/(fault-\d+)$/

const route = (what: string, body: Uint8Array, deps: ControlDeps): Answer => {
  const { cloud, faults, calls, certificates } = deps
  const json = (): unknown => JSON.parse(Buffer.from(body).toString('utf8'))
  const [, faultId] = FAULT.exec(what) ?? []
  if (faultId !== undefined) return faults.remove(faultId) ? ok({}) : problem(404, 'there is no such fault')
  switch (what) {
    case 'GET /_emulator':
    case 'GET /_emulator/':
      return { status: 200, type: 'text/html; charset=utf-8', body: renderPage(viewOf(cloud.state(), deps)) }
    case 'GET /_emulator/state':
      return ok(viewOf(cloud.state(), deps))
    case 'GET /_emulator/calls':
      return ok({ actions: calls.read() })
    case 'DELETE /_emulator/calls':
      calls.reset()
      return ok({})
    case 'GET /_emulator/faults':
      return ok({ faults: faults.list() })
    case 'POST /_emulator/faults':
      return ok(faults.add(faultShape.read(json(), '')), 201)
    case 'DELETE /_emulator/faults':
      faults.remove()
      return ok({})
    case 'GET /_emulator/certificates':
      return ok({ certificates: certificates.list().map(({ id, key }) => ({ id, hasKey: key !== undefined })) })
    case 'POST /_emulator/certificates': {
      const uploaded = certificateUpload.read(json(), '')
      certificates.put(uploaded)
      for (const id of cloud.state().loadBalancers.keys()) cloud.refresh(id)
      return ok({ id: uploaded.id }, 201)
    }
    default:
      return problem(404, 'there is no such path; see GET /_emulator/')
  }
}

const ok = (value: unknown, status = 200): Answer => ({ status, type: 'application/json', body: `${JSON.stringify(value)}\n` })
const problem = (status: number, message: string): Answer => ok({ error: message }, status)
