import { createHash, createHmac } from 'node:crypto'
import { type Credentials, secretsOf } from './credentials.ts'

export interface ToSign {
  /** The first part of the API's host name: `clb`. */
  readonly service: string
  /** Without a port. */
  readonly host: string
  readonly body: string
  /** Seconds since the Unix epoch. */
  readonly timestamp: number
}

export const CONTENT_TYPE = 'application/json'
const SIGNED_HEADERS = 'content-type;host'

/** The Authorization header of a POST to `/`, by TC3-HMAC-SHA256. */
export const authorization = (request: ToSign, credentials: Credentials): string => {
  const { secretId, secretKey } = secretsOf(credentials)
  const date = new Date(request.timestamp * 1_000).toISOString().slice(0, 10)
  const scope = `${date}/${request.service}/tc3_request`
  const toSign = ['TC3-HMAC-SHA256', request.timestamp, scope, sha256(canonical(request))].join('\n')
  const key = hmac(hmac(hmac(`TC3${secretKey}`, date), request.service), 'tc3_request')
  const signature = hmac(key, toSign).toString('hex')
  return `TC3-HMAC-SHA256 Credential=${secretId}/${scope}, SignedHeaders=${SIGNED_HEADERS}, Signature=${signature}`
}

const canonical = ({ host, body }: ToSign): string =>
  ['POST', '/', '', `content-type:${CONTENT_TYPE}`, `host:${host}`, '', SIGNED_HEADERS, sha256(body)].join('\n')

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
