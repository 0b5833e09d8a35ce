import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { CloudError } from './errors.ts'

export interface Credential {
  readonly secretId: string
  readonly secretKey: string
  /** Of temporary credentials. */
  readonly token?: string
}

/** A request as it came, before anything of it is believed. */
export interface SignedRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
}

const AUTHORIZATION =
  /^TC3-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{4}-\d\d-\d\d)\/([a-z0-9-]+)\/tc3_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/
const MAX_SKEW_S = 300
const SERVICES = ['clb', 'tag', 'cvm', 'vpc']

/** Verifies TC3-HMAC-SHA256; throws the `CloudError` that the cloud answers. `now` in milliseconds. */
export const authenticate = (request: SignedRequest, credentials: readonly Credential[], now: number): Credential => {
  const match = AUTHORIZATION.exec(request.headers['authorization'] ?? '')
  if (match === null) throw failure('InvalidAuthorization', 'The Authorization header is not one of TC3-HMAC-SHA256.')
  const [, secretId = '', date = '', service = '', signedHeaders = '', signature = ''] = match
  const timestamp = timestampOf(request)
  checkTime(timestamp, date, now)
  checkService(service, request.headers['host'] ?? '')
  const credential = credentials.find((one) => one.secretId === secretId)
  if (credential === undefined) throw failure('SecretIdNotFound', 'The SecretId is not found.')
  const expected = canonicalHeaders(request, signedHeaders.split(';')).map((headers) =>
    sign(credential.secretKey, { date, service, timestamp, canonical: canonicalRequest(request, headers, signedHeaders) }),
  )
  // Each is compared, so that the time taken says nothing.
  const matches = expected.filter((one) => timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(signature, 'hex')))
  if (matches.length === 0)
    throw failure('SignatureFailure', 'The provided credentials could not be validated. Please check your signature is correct.')
  if ((request.headers['x-tc-token'] ?? '') !== (credential.token ?? ''))
    throw failure('TokenFailure', 'The token does not belong to the SecretId.')
  return credential
}

const failure = (code: string, message: string): CloudError => new CloudError(`AuthFailure.${code}`, message)

const timestampOf = ({ headers }: SignedRequest): number => {
  const text = headers['x-tc-timestamp']
  if (text === undefined) throw new CloudError('MissingParameter', 'The header X-TC-Timestamp is missing.')
  if (!/^\d{1,12}$/.test(text)) throw new CloudError('InvalidParameter', 'The header X-TC-Timestamp is not a number of seconds.')
  return Number(text)
}

const checkTime = (timestamp: number, date: string, now: number): void => {
  if (Math.abs(now / 1000 - timestamp) > MAX_SKEW_S)
    throw failure('SignatureExpire', 'Signature verification expired. Please check your local time against the server time.')
  if (new Date(timestamp * 1000).toISOString().slice(0, 10) !== date)
    throw failure('SignatureFailure', 'The date of the credential scope is not that of X-TC-Timestamp.')
}

/** The SDKs name the first label of the endpoint that they were given: `127` for 127.0.0.1. */
const checkService = (service: string, host: string): void => {
  const first = host.toLowerCase().split(/[.:]/, 1)[0]
  if (service !== first && !SERVICES.includes(service))
    throw failure('SignatureFailure', `The service ${service} of the credential scope is not served here.`)
}

/** What the client may have signed: Node's SDK signs the host without its port, others with it. */
const canonicalHeaders = ({ headers }: SignedRequest, names: readonly string[]): readonly string[] => {
  if (!names.includes('host') || !names.includes('content-type'))
    throw failure('InvalidAuthorization', 'SignedHeaders must have content-type and host.')
  const lines = (host: string): string =>
    names.map((name) => `${name}:${(name === 'host' ? host : (headers[name] ?? '')).trim().toLowerCase()}\n`).join('')
  const host = headers['host'] ?? ''
  return [lines(host), lines(host.replace(/:\d+$/, ''))]
}

const canonicalRequest = ({ method, path, query, body }: SignedRequest, headers: string, signedHeaders: string): string =>
  [method, path, query, headers, signedHeaders, sha256(body)].join('\n')

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest()

const sign = (
  secretKey: string,
  {
    date,
    service,
    timestamp,
    canonical,
  }: { readonly date: string; readonly service: string; readonly timestamp: number; readonly canonical: string },
): string => {
  const toSign = ['TC3-HMAC-SHA256', timestamp, `${date}/${service}/tc3_request`, sha256(canonical)].join('\n')
  const key = hmac(hmac(hmac(`TC3${secretKey}`, date), service), 'tc3_request')
  return hmac(key, toSign).toString('hex')
}
