import { describe, expect, it } from 'vitest'
import { decoded, problemsOf } from '../../testing/index.ts'
import { ingressKind } from './kind.ts'

type Raw = Readonly<Record<string, unknown>>

const web = (spec: Raw, metadata: Raw = {}) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'default', ...metadata },
  spec,
})
const backend = { service: { name: 'web', port: { number: 80 } } }
const path = (more: Raw): Raw => ({ rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend, ...more }] } }] })
const host = (name: string): Raw => ({ rules: [{ host: name, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] })
const at = 'spec.rules[0].http.paths[0]'
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
const wildcard =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"

describe('an Ingress is accepted', () => {
  it.each<[string, Raw]>([
    ['with a default backend only', { defaultBackend: backend }],
    ['with a rule that has no paths', { defaultBackend: backend, rules: [{ host: 'a.b' }] }],
    ['with the same host twice', { rules: [{ host: 'a.b' }, { host: 'a.b' }] }],
    ['with a wildcard host', host('*.ilinux.io')],
    ['with an exact path', path({ path: '/web', pathType: 'Exact' })],
    ['without a path, when the controller decides', path({ path: '', pathType: 'ImplementationSpecific' })],
    ['with a regular expression, when the controller decides', path({ path: '/(.*)//x', pathType: 'ImplementationSpecific' })],
    ['with a named port', path({ backend: { service: { name: 'web', port: { name: 'http' } } } })],
    ['with a resource for backend', path({ backend: { resource: { apiGroup: 'a.b', kind: 'Bucket', name: 'x' } } })],
    ['with TLS for no hosts', { defaultBackend: backend, tls: [{ secretName: 'x' }] }],
    ['with TLS without secret', { defaultBackend: backend, tls: [{ hosts: ['*.a.b', 'a.b'] }] }],
    ['with a class', { defaultBackend: backend, ingressClassName: 'nginx' }],
  ])('%s', (_, spec) => {
    expect(problemsOf(ingressKind, web(spec))).toEqual([])
  })
})

describe('an Ingress is refused', () => {
  it.each<[string, Raw, string[]]>([
    ['when it routes nothing', {}, ['spec: Invalid either `defaultBackend` or `rules` must be specified']],
    ['without a path type', path({ pathType: undefined }), [`${at}.pathType: Required pathType must be specified`]],
    [
      'with an unknown path type',
      path({ pathType: 'Regex' }),
      [`${at}.pathType: NotSupported supported values: "Exact", "ImplementationSpecific", "Prefix"`],
    ],
    ['with a relative path', path({ path: 'web' }), [`${at}.path: Invalid must be an absolute path`]],
    [
      'with a relative path that the controller reads',
      path({ path: 'web', pathType: 'ImplementationSpecific' }),
      [`${at}.path: Invalid must be an absolute path`],
    ],
    [
      'with paths that lead around a rule',
      path({ path: '/a//b/./c/../d%2fe%2Ff' }),
      [
        `${at}.path: Invalid must not contain '//'`,
        `${at}.path: Invalid must not contain '/./'`,
        `${at}.path: Invalid must not contain '/../'`,
        `${at}.path: Invalid must not contain '%2f'`,
        `${at}.path: Invalid must not contain '%2F'`,
      ],
    ],
    [
      'with a path that ends in two dots',
      path({ path: '/a/..', pathType: 'Exact' }),
      [`${at}.path: Invalid cannot end with '/..'`],
    ],
    ['with a path that ends in a dot', path({ path: '/a/.' }), [`${at}.path: Invalid cannot end with '/.'`]],
    ['with no paths', { rules: [{ http: { paths: [] } }] }, ['spec.rules[0].http.paths: Required']],
    [
      'with a backend that names nothing',
      path({ backend: {} }),
      [`${at}.backend: Invalid resource or service backend is required`],
    ],
    [
      'with two backends in one',
      path({ backend: { ...backend, resource: { kind: 'a', name: 'b' } } }),
      [`${at}.backend: Invalid cannot set both resource and service backends`],
    ],
    [
      'with a backend without name and port',
      path({ backend: { service: {} } }),
      [`${at}.backend.service.name: Required`, `${at}.backend: Required port name or number is required`],
    ],
    [
      'with a port by name and number',
      path({ backend: { service: { name: 'web', port: { name: 'a', number: 1 } } } }),
      [`${at}.backend: Invalid cannot set both port name & port number`],
    ],
    [
      'with a port out of range',
      { defaultBackend: { service: { name: 'web', port: { number: 65536 } } } },
      ['spec.defaultBackend.service.port.number: Invalid must be between 1 and 65535, inclusive'],
    ],
    [
      'with a Service that cannot exist',
      { defaultBackend: { service: { name: '0web', port: { number: 1 } } } },
      [
        "spec.defaultBackend.service.name: Invalid a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
      ],
    ],
    ['with an address for host', host('10.0.0.1'), ['spec.rules[0].host: Invalid must be a DNS name, not an IP address']],
    ['with a port in the host', host('a.b:80'), [`spec.rules[0].host: Invalid ${subdomain}`]],
    ['with capitals in the host', host('A.b'), [`spec.rules[0].host: Invalid ${subdomain}`]],
    ['with a dot after the host', host('a.b.'), [`spec.rules[0].host: Invalid ${subdomain}`]],
    ['with a star for host', host('*'), [`spec.rules[0].host: Invalid ${wildcard}`]],
    ['with two stars in the host', host('*.*.b'), [`spec.rules[0].host: Invalid ${wildcard}`]],
    ['with a star inside of the host', host('a.*.b'), [`spec.rules[0].host: Invalid ${wildcard}`]],
    [
      'with a Secret that cannot exist',
      { defaultBackend: backend, tls: [{ hosts: ['a.b'], secretName: 'A' }] },
      [`spec.tls[0].secretName: Invalid ${subdomain}`],
    ],
    [
      'with a TLS host that is none',
      { defaultBackend: backend, tls: [{ hosts: ['a.b', '*'] }] },
      [`spec.tls[0].hosts[1]: Invalid ${wildcard}`],
    ],
    [
      'with a class that cannot exist',
      { defaultBackend: backend, ingressClassName: 'A' },
      [`spec.ingressClassName: Invalid ${subdomain}`],
    ],
  ])('%s', (_, spec, expected) => {
    expect(problemsOf(ingressKind, web(spec))).toEqual(expected)
  })

  it('with the precise reason when v1 has a path from before v1', () => {
    expect(() =>
      decoded(
        ingressKind,
        web({ rules: [{ http: { paths: [{ path: '/', backend: { serviceName: 'web', servicePort: 80 } }] } }] }),
      ),
    ).toThrow(
      'unknown field spec.rules[0].http.paths[0].backend.serviceName, unknown field spec.rules[0].http.paths[0].backend.servicePort',
    )
  })
})

describe('the class of an Ingress', () => {
  const annotations = { 'kubernetes.io/ingress.class': 'nginx' }
  const both = web({ defaultBackend: backend, ingressClassName: 'other' }, { annotations })

  it('is the same in field and annotation when it is new', () => {
    expect(problemsOf(ingressKind, both)).toEqual([
      'metadata.annotations[kubernetes.io/ingress.class]: Invalid must match `ingressClassName` when both are specified',
    ])
    expect(problemsOf(ingressKind, web({ defaultBackend: backend, ingressClassName: 'nginx' }, { annotations }))).toEqual([])
    expect(problemsOf(ingressKind, both, both)).toEqual([])
  })

  it('in the annotation alone is warned of', () => {
    const warnings = (spec: Raw) => ingressKind.warnings?.(decoded(ingressKind, web(spec, { annotations })))
    expect(warnings({ defaultBackend: backend })).toEqual([
      `annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`,
    ])
    expect(warnings({ defaultBackend: backend, ingressClassName: 'nginx' })).toEqual([])
  })
})

describe('an update of an Ingress', () => {
  it('is not stopped by a secret name or a wildcard rule that was stored before', () => {
    const badSecret = { defaultBackend: backend, tls: [{ secretName: 'A_B' }] }
    expect(problemsOf(ingressKind, web({ ...badSecret, ingressClassName: 'x' }), web(badSecret))).toEqual([])
    const badWildcard = { rules: [{ host: '*.a.b', http: { paths: [] } }] }
    expect(problemsOf(ingressKind, web({ ...badWildcard, ingressClassName: 'x' }), web(badWildcard))).toEqual([])
  })

  it('is stopped by a new one', () => {
    expect(
      problemsOf(ingressKind, web({ defaultBackend: backend, tls: [{ secretName: 'A' }] }), web({ defaultBackend: backend })),
    ).toHaveLength(1)
  })
})

describe('hostile Ingresses', () => {
  it('with ten thousand bad rules are answered fast', () => {
    const rules = Array.from({ length: 10_000 }, () => ({
      host: 'A',
      http: { paths: [{ path: 'x', pathType: 'Prefix', backend: {} }] },
    }))
    const object = decoded(ingressKind, web({ rules }))
    const before = performance.now()
    expect(ingressKind.validate(object).length).toBeLessThan(300)
    expect(performance.now() - before).toBeLessThan(2000)
  })
})
