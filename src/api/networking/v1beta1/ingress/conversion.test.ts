import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { extensionsIngressKind } from '../../../extensions/v1beta1/ingress/kind.ts'
import { sameValue } from '../../../same-value.ts'
import { decoded, problemLines } from '../../../testing/index.ts'
import { ingressKind } from '../../ingress/kind.ts'
import type { Ingress } from '../../ingress/schema.ts'
import { ingressClassV1beta1Kind } from '../ingressclass/kind.ts'
import { ingressFromHub, ingressToHub } from './conversion.ts'
import { ingressV1beta1Kind } from './kind.ts'
import type { IngressV1beta1 } from './schema.ts'

const old = (spec: object, group = 'networking.k8s.io') => ({
  apiVersion: `${group}/v1beta1`,
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'default' },
  spec,
})

describe('an old Ingress', () => {
  it('becomes the one of today', () => {
    const spec = {
      ingressClassName: 'nginx',
      backend: { serviceName: 'other', servicePort: 'http' },
      tls: [{ hosts: ['a.b'], secretName: 'x' }],
      rules: [{ host: 'a.b', http: { paths: [{ path: '/web', backend: { serviceName: 'web', servicePort: 80 } }] } }],
    }
    const hub = ingressToHub(decoded(ingressV1beta1Kind, old(spec)))
    expect(hub).toEqual({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        ingressClassName: 'nginx',
        defaultBackend: { service: { name: 'other', port: { name: 'http' } } },
        tls: [{ hosts: ['a.b'], secretName: 'x' }],
        rules: [
          {
            host: 'a.b',
            http: {
              paths: [
                { path: '/web', pathType: 'ImplementationSpecific', backend: { service: { name: 'web', port: { number: 80 } } } },
              ],
            },
          },
        ],
      },
    })
    expect(ingressKind.validate(hub)).toEqual([])
  })

  it('is warned of, in both groups', () => {
    const spec = { backend: { serviceName: 'web', servicePort: 80 } }
    expect(ingressV1beta1Kind.warnings?.(decoded(ingressV1beta1Kind, old(spec)))).toEqual([
      'networking.k8s.io/v1beta1 Ingress is deprecated in v1.19+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress',
    ])
    expect(extensionsIngressKind.warnings?.(decoded(extensionsIngressKind, old(spec, 'extensions')))).toEqual([
      'extensions/v1beta1 Ingress is deprecated in v1.14+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress',
    ])
  })

  it('with a backend of today names the unknown field', () => {
    const spec = { rules: [{ http: { paths: [{ path: '/', backend: { service: { name: 'web', port: { number: 80 } } } }] } }] }
    expect(() => decoded(ingressV1beta1Kind, old(spec))).toThrow('unknown field spec.rules[0].http.paths[0].backend.service')
  })

  it('is held to the same rules', () => {
    const spec = { rules: [{ host: '*', http: { paths: [{ backend: {} }] } }] }
    expect(problemLines(ingressV1beta1Kind.validate(decoded(ingressV1beta1Kind, old(spec))))).toHaveLength(2)
  })
})

describe('conversion', () => {
  const name = fc.stringMatching(/^[a-z]{1,6}$/)
  const port = fc.oneof(fc.record({ number: fc.integer({ min: 1, max: 65535 }) }), fc.record({ name }))
  const backend = fc.oneof(
    fc.record({ service: fc.record({ name, port }) }),
    fc.record({ resource: fc.record({ apiGroup: name, kind: name, name }) }),
  )
  const path = fc.record({
    path: name.map((each) => `/${each}`),
    pathType: fc.constantFrom('Exact' as const, 'Prefix' as const, 'ImplementationSpecific' as const),
    backend,
  })
  const rule = fc.record(
    { host: name, http: fc.record({ paths: fc.array(path, { minLength: 1, maxLength: 3 }) }) },
    { requiredKeys: [] },
  )
  const spec = fc.record(
    {
      defaultBackend: backend,
      ingressClassName: name,
      rules: fc.array(rule, { maxLength: 3 }),
      tls: fc.array(fc.record({ hosts: fc.array(name, { maxLength: 2 }), secretName: name }, { requiredKeys: [] }), {
        maxLength: 2,
      }),
    },
    { requiredKeys: [] },
  )
  const status = fc.constantFrom(undefined, { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } })
  const hub = fc.tuple(spec, status).map(
    ([spec, status]): Ingress => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'default', annotations: { a: 'b' } },
      spec,
      ...(status && { status }),
    }),
  )

  it('to the old shape and back loses nothing', () => {
    fc.assert(
      fc.property(hub, (ingress) => {
        expect(ingressToHub(ingressFromHub(ingress, 'extensions/v1beta1'))).toEqual(ingress)
      }),
    )
  })

  it('to the shape of today and back loses nothing', () => {
    fc.assert(
      fc.property(hub, (ingress) => {
        const before: IngressV1beta1 = ingressFromHub(ingress, 'networking.k8s.io/v1beta1')
        expect(ingressFromHub(ingressToHub(before), 'networking.k8s.io/v1beta1')).toEqual(before)
      }),
    )
  })

  it('gives objects that their own schema accepts and their own defaults leave alone', () => {
    fc.assert(
      fc.property(hub, (ingress) => {
        const before = ingressFromHub(ingress, 'networking.k8s.io/v1beta1')
        expect(sameValue(ingressToHub(decoded(ingressV1beta1Kind, before)), ingressToHub(before))).toBe(true)
      }),
    )
  })

  it('of an IngressClass changes the version only', () => {
    const { conversion } = ingressClassV1beta1Kind
    const hubClass = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'x' },
      spec: { controller: 'a.b/c' },
    }
    const before = conversion?.fromHub(hubClass)
    expect(before?.apiVersion).toBe('networking.k8s.io/v1beta1')
    expect(before && conversion?.toHub(before)).toEqual(hubClass)
  })
})
