import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Secret } from '../../api/index.ts'
import { ingress } from '../../api/testing/index.ts'
import { certificateFor } from '../../l7/testing/certificates.ts'
import type { WantedCertificate } from './desired.ts'
import { judge, renewalOf, type Verdict } from './due.ts'

const SERVER = 'https://acme.example/dir'
const NOW = Date.UTC(2026, 0, 1)
const DAY = 86_400_000

const owner = ingress('a').build()
const wanted: WantedCertificate = { secret: 'shop/pair', hosts: ['a.example'], ingresses: [owner], refusals: [] }

let pair: { readonly chain: string; readonly key: string }
beforeAll(async () => {
  pair = await certificateFor('a.example', 90 * DAY, NOW)
})

const secret = (
  change: {
    readonly labels?: object
    readonly annotations?: object
    readonly data?: object
    readonly owners?: readonly object[]
  } = {},
): Secret =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      namespace: 'shop',
      name: 'pair',
      labels: { 'fairway.dev/acme': 'certificate', ...change.labels },
      annotations: { 'fairway.dev/acme-issuer': SERVER, ...change.annotations },
      ownerReferences: change.owners ?? [
        { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'a', uid: owner.metadata.uid },
      ],
    },
    data: {
      'tls.crt': Buffer.from(pair.chain).toString('base64'),
      'tls.key': Buffer.from(pair.key).toString('base64'),
      ...change.data,
    },
  }) as Secret

const verdict = (present: Secret | undefined, more: Partial<Parameters<typeof judge>[0]> = {}): Verdict =>
  judge({ wanted, secret: present, server: SERVER, nowMs: NOW, ...more })

describe('a certificate', () => {
  it.each<[string, () => Verdict, string]>([
    ['that is not there is due', () => verdict(undefined), 'missing'],
    ['that cannot be read is due', () => verdict(secret({ data: { 'tls.key': 'bm8=' } })), 'broken'],
    ['for other hosts is due', () => verdict(secret(), { wanted: { ...wanted, hosts: ['a.example', 'b.example'] } }), 'hosts'],
    ['of another server is due', () => verdict(secret(), { server: 'https://other.example/dir' }), 'issuer'],
    ['that is two thirds old is due', () => verdict(secret(), { nowMs: NOW + 60 * DAY }), 'renewal'],
    ['that has expired is due', () => verdict(secret(), { nowMs: NOW + 100 * DAY }), 'renewal'],
  ])('%s', (_title, found, because) => {
    expect(found()).toEqual({ kind: 'due', because })
  })

  it.each<[string, object]>([
    ['without our label', { 'fairway.dev/acme': undefined }],
    ['with the label of something else of ours', { 'fairway.dev/acme': 'account' }],
  ])('%s is left alone, whatever is wrong with it', (_title, labels) => {
    expect(verdict(secret({ labels, data: { 'tls.key': '' } })).kind).toBe('foreign')
  })

  it('that is good is kept until it is renewed', () => {
    const found = verdict(secret())
    expect(found).toMatchObject({ kind: 'kept', hasOwners: true })
    expect(found.kind === 'kept' && found.untilMs / DAY - NOW / DAY).toSatisfy((days: number) => days > 56 && days <= 60)
  })

  it('is told apart from one whose Ingresses changed', () => {
    expect(verdict(secret({ owners: [] }))).toMatchObject({ kind: 'kept', hasOwners: false })
  })

  it('that was issued just now is not renewed at once by a clock that is ahead', () => {
    const nowMs = NOW + 80 * DAY
    const annotations = { 'fairway.dev/acme-issued-at': new Date(nowMs - DAY).toISOString() }
    expect(verdict(secret({ annotations }), { nowMs }).kind).toBe('kept')
    expect(verdict(secret({ annotations: { 'fairway.dev/acme-issued-at': 'rubbish' } }), { nowMs }).kind).toBe('due')
  })
})

it('renewals are spread over a twenty-fourth of the lifetime, and never after two thirds', () => {
  const leaf = new X509Certificate(pair.chain)
  const from = Date.parse(leaf.validFrom)
  const lifetime = Date.parse(leaf.validTo) - from
  const seen = new Set<number>()
  fc.assert(
    fc.property(fc.string(), (name) => {
      const at = renewalOf(leaf, { secret: name, issuedMs: from })
      expect(at).toBe(renewalOf(leaf, { secret: name, issuedMs: from }))
      expect((at - from) / lifetime).toBeLessThanOrEqual(2 / 3)
      expect((at - from) / lifetime).toBeGreaterThanOrEqual(2 / 3 - 1 / 24)
      seen.add(at)
    }),
  )
  expect(seen.size).toBeGreaterThan(50)
})
