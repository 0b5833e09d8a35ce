import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { authenticate } from './authentication.ts'

const credential = { secretId: 'AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE', secretKey: 'Gu5t9xGARNpq86cd98joQYCN3EXAMPLE' }
const NOW = 1_551_113_065_000
const body = Buffer.from('{"Limit": 1}')

interface Change {
  readonly service?: string
  readonly signedHost?: string
  readonly secretKey?: string
  readonly secretId?: string
  readonly timestamp?: number
  readonly date?: string
  readonly body?: Buffer
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly signed?: readonly string[]
}

const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest()
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')

/** Signs as the cloud's documents describe it. */
const request = (change: Change = {}) => {
  const timestamp = change.timestamp ?? NOW / 1000
  const date = change.date ?? new Date(timestamp * 1000).toISOString().slice(0, 10)
  const service = change.service ?? 'clb'
  const host = '127.0.0.1:8317'
  const names = change.signed ?? ['content-type', 'host']
  const values: Readonly<Record<string, string>> = {
    'content-type': 'application/json',
    host: change.signedHost ?? host,
    'x-tc-action': 'describequota',
  }
  const canonical = [
    'POST',
    '/',
    '',
    names.map((name) => `${name}:${values[name]}\n`).join(''),
    names.join(';'),
    sha256(body),
  ].join('\n')
  const toSign = ['TC3-HMAC-SHA256', timestamp, `${date}/${service}/tc3_request`, sha256(canonical)].join('\n')
  const key = hmac(hmac(hmac(`TC3${change.secretKey ?? credential.secretKey}`, date), service), 'tc3_request')
  const authorization = `TC3-HMAC-SHA256 Credential=${change.secretId ?? credential.secretId}/${date}/${service}/tc3_request, SignedHeaders=${names.join(';')}, Signature=${hmac(key, toSign).toString('hex')}`
  const headers = {
    host,
    'content-type': 'application/json',
    'x-tc-action': 'DescribeQuota',
    'x-tc-timestamp': String(timestamp),
    authorization,
    ...change.headers,
  }
  return { method: 'POST', path: '/', query: '', headers, body: change.body ?? body }
}

describe('a signature', () => {
  it.each<readonly [string, Change]>([
    ['of clb', {}],
    ['of another API', { service: 'tag' }],
    ['by an SDK that signs the first label of the endpoint', { service: '127' }],
    ['by an SDK that signs the host without its port', { signedHost: '127.0.0.1' }],
    ['over more headers', { signed: ['content-type', 'host', 'x-tc-action'] }],
    ['299 s old', { timestamp: NOW / 1000 - 299 }],
    ['300 s early', { timestamp: NOW / 1000 + 300 }],
  ])('%s is accepted', (_what, change) => {
    expect(authenticate(request(change), [credential], NOW)).toBe(credential)
  })

  it.each<readonly [string, Change, string]>([
    ['by another key', { secretKey: 'x' }, 'AuthFailure.SignatureFailure'],
    ['of somebody unknown', { secretId: 'AKIDnobody' }, 'AuthFailure.SecretIdNotFound'],
    ['over another body', { body: Buffer.from('{"Limit": 2}') }, 'AuthFailure.SignatureFailure'],
    ['301 s old', { timestamp: NOW / 1000 - 301 }, 'AuthFailure.SignatureExpire'],
    ['for another day', { date: '2019-02-24' }, 'AuthFailure.SignatureFailure'],
    ['for a service that is not here', { service: 'cos' }, 'AuthFailure.SignatureFailure'],
    ['for another host', { signedHost: 'clb.tencentcloudapi.com' }, 'AuthFailure.SignatureFailure'],
    ['that leaves the host out', { signed: ['content-type'] }, 'AuthFailure.InvalidAuthorization'],
    ['that is none', { headers: { authorization: 'Basic x' } }, 'AuthFailure.InvalidAuthorization'],
    ['without one', { headers: { authorization: undefined } }, 'AuthFailure.InvalidAuthorization'],
    ['with a token that isn’t ours', { headers: { 'x-tc-token': 'x' } }, 'AuthFailure.TokenFailure'],
    ['without a time', { headers: { 'x-tc-timestamp': undefined } }, 'MissingParameter'],
    ['with a time that is none', { headers: { 'x-tc-timestamp': 'now' } }, 'InvalidParameter'],
    ['with a time out of the calendar', { headers: { 'x-tc-timestamp': '999999999999' } }, 'AuthFailure.SignatureExpire'],
  ])('%s is refused', (_what, change, code) => {
    expect(() => authenticate(request(change), [credential], NOW)).toThrow(expect.objectContaining({ code }))
  })
})
