import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Ingress } from '../../api/index.ts'
import { ingress } from '../../api/testing/index.ts'
import { keyOf, Routes } from '../routes/index.ts'
import { type WantedCertificate, wantedCertificates } from './desired.ts'

const ASK = { 'fairway.dev/acme': 'true' }

interface Made {
  readonly namespace?: string
  readonly age?: number
  readonly annotations?: Readonly<Record<string, string>>
}

/** The older, the greater its age. */
const made = (object: Ingress, { namespace = 'shop', age = 0, annotations = ASK }: Made = {}): Ingress => ({
  ...object,
  metadata: {
    ...object.metadata,
    namespace,
    uid: `${namespace}/${object.metadata.name}`,
    annotations,
    creationTimestamp: new Date(Date.UTC(2026, 0, 31) - age * 60_000).toISOString().replace('.000', ''),
  },
})

const site = (name: string, host: string, secret = name): Ingress =>
  ingress(name).host(host, { '/': 'web:80' }).tls(secret, host).build()

const wanted = (...ingresses: readonly Ingress[]): ReadonlyMap<string, WantedCertificate> => {
  const { claims } = new Routes()
  for (const each of ingresses) claims.set(each)
  return wantedCertificates(claims)
}

const hosts = (all: ReadonlyMap<string, WantedCertificate>): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries([...all].map(([key, each]) => [key, each.hosts]))

const refusals = (all: ReadonlyMap<string, WantedCertificate>): readonly string[] =>
  [...all.values()].flatMap((each) => each.refusals.map(({ ingress: object, message }) => `${keyOf(object)}: ${message}`))

describe('who asks', () => {
  it.each<[Readonly<Record<string, string>>, boolean]>([
    [{}, false],
    [{ 'fairway.dev/acme': 'true' }, true],
    [{ 'fairway.dev/acme': 'false' }, false],
    [{ 'fairway.dev/acme': 'perhaps' }, false],
    [{ 'kubernetes.io/tls-acme': 'true' }, true],
    [{ 'kubernetes.io/tls-acme': 'yes' }, false],
    [{ 'fairway.dev/acme': 'false', 'kubernetes.io/tls-acme': 'true' }, false],
    [{ 'fairway.dev/acme': 'true', 'kubernetes.io/tls-acme': 'false' }, true],
  ])('%j: %s', (annotations, asks) => {
    expect(wanted(made(site('a', 'a.example'), { annotations })).size).toBe(asks ? 1 : 0)
  })
})

describe('for which hosts', () => {
  it('one Secret of several Ingresses is one certificate for all their hosts', () => {
    const all = wanted(made(site('b', 'b.example', 'both')), made(site('a', 'a.example', 'both'), { age: 1 }))
    expect(hosts(all)).toEqual({ 'shop/both': ['a.example', 'b.example'] })
    expect(all.get('shop/both')?.ingresses.map(keyOf)).toEqual(['shop/a', 'shop/b'])
  })

  it('those of the rules, when spec.tls names none', () => {
    expect(hosts(wanted(made(ingress('a').host('a.example', { '/': 'web:80' }).tls('pair').build())))).toEqual({
      'shop/pair': ['a.example'],
    })
  })

  it.each<[string, string]>([
    ['*.a.example', 'a server proves wildcards by DNS only'],
    ['localhost', 'not a name that a public server could look up'],
  ])('not for %s', (host, why) => {
    const all = wanted(made(ingress('a').tls('pair', host, 'a.example').host('a.example', {}).build()))
    expect(hosts(all)).toEqual({ 'shop/pair': ['a.example'] })
    expect(refusals(all)).toEqual([expect.stringContaining(why)])
  })

  it('not for any host', () => {
    const all = wanted(made(ingress('a').tls('pair').defaultBackend('web:80').build()))
    expect([hosts(all), refusals(all)]).toEqual([
      { 'shop/pair': [] },
      ['shop/a: spec.tls names no host; a certificate needs one'],
    ])
  })

  it('not for more than a hundred', () => {
    const names = Array.from({ length: 101 }, (_, i) => `h${i}.example`)
    expect(
      refusals(
        wanted(
          made(
            ingress('a')
              .tls('pair', ...names)
              .build(),
          ),
        ),
      ),
    ).toEqual(['shop/a: Secret shop/pair would be for 101 hosts; a certificate may have 100'])
  })
})

describe('whose host it is', () => {
  it('the routes’: a younger Ingress of another namespace gets nothing for it', () => {
    const older = made(ingress('web').host('a.example', { '/': 'web:80' }).build(), { age: 1, annotations: {} })
    const all = wanted(older, made(site('evil', 'a.example'), { namespace: 'evil' }))
    expect(hosts(all)).toEqual({ 'evil/evil': [] })
    expect(refusals(all)).toEqual([
      'evil/evil: a.example leads to the routes of Ingress shop/web, which is older; its namespace alone gets certificates for it',
    ])
  })

  it('also those of an older Ingress of the same namespace', () => {
    const older = made(ingress('web').host('a.example', { '/': 'web:80' }).build(), { age: 1, annotations: {} })
    expect(hosts(wanted(older, made(ingress('tls').tls('pair', 'a.example').build())))).toEqual({ 'shop/pair': ['a.example'] })
  })

  it('the older claim of TLS decides, also without asking for a certificate', () => {
    const older = made(site('mine', 'a.example'), { age: 1, annotations: {} })
    const all = wanted(older, made(site('a', 'a.example', 'other')))
    expect([hosts(all), refusals(all)]).toEqual([
      { 'shop/other': [] },
      ['shop/a: a.example is served with Secret shop/mine, not with shop/other'],
    ])
  })

  it('one under another’s wildcard is the other’s, until it has rules of its own', () => {
    const wildcard = made(ingress('all').host('*.a.example', { '/': 'web:80' }).build(), { age: 1, annotations: {} })
    const bare = made(ingress('x').tls('x', 'x.a.example').build(), { namespace: 'team' })
    expect(hosts(wanted(wildcard, bare))).toEqual({ 'team/x': [] })
    expect(hosts(wanted(wildcard, made(site('x', 'x.a.example'), { namespace: 'team' })))).toEqual({ 'team/x': ['x.a.example'] })
  })

  it('an alias is the Ingress’s that lends it', () => {
    const annotations = { 'nginx.ingress.kubernetes.io/server-alias': 'b.example' }
    const lender = made(ingress('web').host('a.example', { '/': 'web:80' }).build(), { age: 1, annotations })
    const bare = made(ingress('x').tls('x', 'b.example').build(), { namespace: 'team' })
    expect(hosts(wanted(lender, bare))).toEqual({ 'team/x': [] })
  })

  const anyIngress = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    namespace: fc.constantFrom('one', 'two', 'three'),
    age: fc.nat(5),
    rules: fc.subarray(['a.example', 'b.example', '*.example']),
    tls: fc.subarray(['a.example', 'b.example']),
    secret: fc.constantFrom('s', 't'),
    asks: fc.boolean(),
  })

  it('no two namespaces get a certificate for one host, and no order of arrival changes who', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyIngress, { maxLength: 8, selector: ({ namespace, name }) => `${namespace}/${name}` }),
        (all) => {
          const objects = all.map(({ name, namespace, age, rules, tls, secret, asks }) => {
            const builder = rules.reduce((each, host) => each.host(host, { '/': 'web:80' }), ingress(name))
            return made((tls.length === 0 ? builder : builder.tls(secret, ...tls)).build(), {
              namespace,
              age,
              annotations: asks ? ASK : {},
            })
          })
          const found = hosts(wanted(...objects))
          const owners = new Map<string, string>()
          for (const [key, names] of Object.entries(found)) {
            for (const host of names) {
              expect(owners.get(host)).toBeUndefined()
              owners.set(host, key)
            }
          }
          expect(hosts(wanted(...[...objects].reverse()))).toEqual(found)
        },
      ),
      { numRuns: 500 },
    )
  })
})
