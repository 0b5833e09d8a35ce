import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCredentials } from './credentials.ts'
import { authorization, CONTENT_TYPE } from './sign.ts'

const sdk: {
  sign3(request: Readonly<Record<string, unknown>>): string
} = createRequire(import.meta.url)('tencentcloud-sdk-nodejs/tencentcloud/common/sign.js').default

const bySdk = (host: string, service: string, payload: unknown, timestamp: number): string =>
  sdk.sign3({
    method: 'POST',
    url: `https://${host}/`,
    payload,
    timestamp,
    service,
    secretId: 'AKIDexample',
    secretKey: 'example-key',
    headers: { 'Content-Type': CONTENT_TYPE },
  })

const credentials = createCredentials({ secretId: 'AKIDexample', secretKey: 'example-key' })

/** The SDK's JSON writer escapes these in the body that it signs and sends; JSON.stringify does not, and both are JSON. */
const ESCAPED_BY_SDK =
  /[\u007f-\u009f\u00ad\u0600-\u0604\u070f\u17b4\u17b5\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\uffff]/

describe('authorization', () => {
  it.each([
    ['clb.tencentcloudapi.com', 'clb', { LoadBalancerIds: ['lb-1'] }, 1_770_000_000],
    ['tag.tencentcloudapi.com', 'tag', { Tags: [{ TagKey: 'größe', TagValue: '值 🐳' }] }, 1_770_076_799],
    ['cvm.tencentcloudapi.com', 'cvm', {}, 1_770_076_800],
    ['127.0.0.1', 'clb', { a: '\u0000"\\' }, 951_782_400],
  ])('signs for %s as the official SDK does', (host, service, payload, timestamp) => {
    const ours = authorization({ service, host, body: JSON.stringify(payload), timestamp }, credentials)
    expect(ours).toBe(bySdk(host, service, payload, timestamp))
  })

  it('signs any JSON as the official SDK does', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' })),
        fc.integer({ min: 1, max: 4e9 }),
        (value, timestamp) => {
          fc.pre(!('__proto__' in value && Object.hasOwn(value, '__proto__')))
          fc.pre(!ESCAPED_BY_SDK.test(JSON.stringify(value)))
          const ours = authorization({ service: 'clb', host: 'h.test', body: JSON.stringify(value), timestamp }, credentials)
          expect(ours).toBe(bySdk('h.test', 'clb', value, timestamp))
        },
      ),
      { numRuns: 500 },
    )
  })
})
