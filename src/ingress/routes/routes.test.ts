import { beforeAll, describe, expect, it } from 'vitest'
import type { EndpointSlice, Ingress, Secret, Service } from '../../api/index.ts'
import { endpointSlice, ingress, service } from '../../api/testing/index.ts'
import type { Certificate, RouteTable } from '../../l7/table/index.ts'
import { certificateFor } from '../../l7/testing/certificates.ts'
import { serviceOfSlice } from '../../model/index.ts'
import { keyOf } from './problem.ts'
import { Routes } from './routes.ts'
import type { RouteSources } from './sources.ts'

const NOW = Date.UTC(2026, 0, 1)
const web = service('web').port(80, 'http').build()
const webSlice = endpointSlice('web').port(8080, 'http').endpoints('10.0.0.1', '10.0.0.2').build()

const sources = (
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  secrets: readonly Secret[] = [],
): RouteSources => ({
  service: (key) => services.find((object) => keyOf(object) === key),
  slices: (key) => slices.filter((slice) => serviceOfSlice(slice) === key),
  secret: (key) => secrets.find((object) => keyOf(object) === key),
  nowMs: NOW,
})

const compiled = (
  ingresses: readonly Ingress[],
  from = sources([web], [webSlice]),
): { readonly table: RouteTable; readonly problems: readonly string[] } => {
  const routes = new Routes()
  for (const object of ingresses) routes.setIngress(object)
  routes.compile(from)
  return { table: routes.table, problems: routes.standing().map(({ ingress: name, reason }) => `${name} ${reason}`) }
}

const rules = (table: RouteTable, host: string): readonly string[] =>
  (table.hosts.get(host)?.paths ?? []).map(
    ({ match, path, target }) => `${match} ${path} ${target.labels['ingress']} ${target.backend}`,
  )

describe('hosts', () => {
  it('of several Ingresses are merged; the oldest keeps a path, and the loser is told', () => {
    const old = ingress('z-old').created('2026-01-01T00:00:00Z').host('a.io', { '/': 'web:80', '/x': 'web:80' }).build()
    const young = ingress('a-young').created('2026-01-02T00:00:00Z').host('A.io', { '/': 'api:80', '/y': 'web:http' }).build()
    const { table, problems } = compiled([young, old])
    expect(rules(table, 'a.io')).toEqual([
      'prefix / default/z-old default/web/80',
      'prefix /x default/z-old default/web/80',
      'prefix /y default/a-young default/web/http',
    ])
    expect(problems).toContain('default/a-young RouteConflict')
  })

  it('created at the same time are ordered by namespace and name', () => {
    const one = ingress('b').host('a.io', { '/': 'web:80' }).build()
    const other = ingress('a').namespace('other').host('a.io', { '/': 'web:80' }).build()
    expect(rules(compiled([other, one]).table, 'a.io')).toEqual(['prefix / default/b default/web/80'])
  })

  it('take Exact and Prefix of one path side by side', () => {
    const object = ingress('w').host('a.io', { '/x': 'web:80' }).host('a.io', { '/x': 'web:80' }, 'Exact').build()
    const { table, problems } = compiled([object])
    expect(rules(table, 'a.io')).toHaveLength(2)
    expect(problems).toEqual([])
  })

  it('match ImplementationSpecific as a prefix and warn about what looks like a regular expression', () => {
    const object = ingress('w').host('a.io', { '/x(/|$)(.*)': 'web:80', '': 'web:80' }, 'ImplementationSpecific').build()
    const { table, problems } = compiled([object])
    expect(rules(table, 'a.io')).toEqual(['prefix /x(/|$)(.*) default/w default/web/80', 'prefix / default/w default/web/80'])
    expect(problems).toEqual(['default/w PathIsNotRegex'])
  })

  it('without http send everything to the default backend', () => {
    const object = ingress('w')
      .defaultBackend('web:80')
      .spec({ rules: [{ host: 'a.io' }] })
      .build()
    const { table } = compiled([object])
    expect(table.hosts.get('a.io')).toEqual({ paths: [], fallback: { backend: 'default/web/80', labels: expect.anything() } })
  })
})

describe('default backends', () => {
  const pure = (name: string, to: string, created: string): Ingress => ingress(name).defaultBackend(to).created(created).build()

  it('of an Ingress without rules take what no host takes; the oldest keeps it', () => {
    const { table, problems } = compiled([
      pure('b', 'web:80', '2026-01-02T00:00:00Z'),
      pure('a', 'web:http', '2026-01-01T00:00:00Z'),
    ])
    expect(table.fallback?.backend).toBe('default/web/http')
    expect(problems).toEqual(['default/b DefaultBackendConflict'])
  })

  it('beside rules are second to those, and take the misses of their own hosts', () => {
    const mixed = ingress('old')
      .created('2025-01-01T00:00:00Z')
      .defaultBackend('web:http')
      .host('a.io', { '/x': 'web:80' })
      .build()
    expect(compiled([mixed]).table.fallback?.backend).toBe('default/web/http')
    const { table, problems } = compiled([mixed, pure('all', 'web:80', '2026-01-01T00:00:00Z')])
    expect([table.fallback?.backend, table.hosts.get('a.io')?.fallback?.backend]).toEqual(['default/web/80', 'default/web/http'])
    expect(problems).toEqual([])
  })
})

describe('backends', () => {
  const backend = (to: string, from: RouteSources): unknown => {
    const { table, problems } = compiled([ingress('w').host('a.io', { '/': to }).build()], from)
    const target = table.hosts.get('a.io')?.paths[0]?.target.backend ?? ''
    return { ...table.backends.get(target), problems }
  }
  const at = (...addresses: readonly string[]) => addresses.map((address) => ({ address, port: 8080 }))

  it.each<[string, string, RouteSources, object]>([
    ['by number', 'web:80', sources([web], [webSlice]), { endpoints: at('10.0.0.1', '10.0.0.2'), problems: [] }],
    ['by name', 'web:http', sources([web], [webSlice]), { endpoints: at('10.0.0.1', '10.0.0.2'), problems: [] }],
    [
      'without a Service',
      'gone:80',
      sources([web], [webSlice]),
      { endpoints: [], unavailable: 'service-not-found', problems: ['default/w ServiceNotFound'] },
    ],
    [
      'without the port',
      'web:81',
      sources([web], [webSlice]),
      { endpoints: [], unavailable: 'port-not-found', problems: ['default/w ServicePortNotFound'] },
    ],
    ['without the named port', 'web:nope', sources([web], [webSlice]), { unavailable: 'port-not-found' }],
    ['without slices', 'web:80', sources([web], []), { endpoints: [], unavailable: 'no-ready-endpoints', problems: [] }],
    [
      'of an ExternalName',
      'ext:80',
      sources([service('ext').externalName('example.com').build()], []),
      { unavailable: 'external-name', problems: ['default/w ExternalNameUnsupported'] },
    ],
    [
      'of a UDP port',
      'dns:53',
      sources([service('dns').port(53, 'dns', { protocol: 'UDP' }).build()], []),
      { unavailable: 'port-not-tcp', problems: ['default/w ServicePortNotTCP'] },
    ],
    [
      'of a headless Service',
      'web:80',
      sources([service('web').port(80, 'http').headless().build()], [webSlice]),
      { endpoints: at('10.0.0.1', '10.0.0.2') },
    ],
  ])('%s', (_, to, from, expected) => expect(backend(to, from)).toMatchObject(expected))

  it('are the ready endpoints, else those that serve while they terminate', () => {
    const slice = (ready: boolean) =>
      endpointSlice('web')
        .port(8080, 'http')
        .endpoint('10.0.0.1', { ready })
        .endpoint('10.0.0.2', { ready: false, serving: true, terminating: true })
        .build()
    expect(backend('web:80', sources([web], [slice(true)]))).toMatchObject({ endpoints: at('10.0.0.1') })
    expect(backend('web:80', sources([web], [slice(false)]))).toMatchObject({ endpoints: at('10.0.0.2') })
  })

  it('of named target ports keep each pod’s own port', () => {
    const other = {
      ...endpointSlice('web').port(9090, 'http').endpoints('10.0.0.9').build(),
      metadata: { ...webSlice.metadata, name: 'web-2' },
    }
    expect(backend('web:80', sources([web], [webSlice, other]))).toMatchObject({
      endpoints: [...at('10.0.0.1', '10.0.0.2'), { address: '10.0.0.9', port: 9090 }],
    })
  })

  const resource = { kind: 'Bucket', name: 'b', apiGroup: 'x.io' }
  const bucket = { path: '/', pathType: 'Prefix', backend: { resource } } as const
  it.each([
    ['for everything', ingress('w').spec({ defaultBackend: { resource } })],
    ['beside rules', ingress('w').host('a.io', { '/x': 'web:80' }).spec({ defaultBackend: { resource } })],
    ['of a path', ingress('w').spec({ rules: [{ host: 'a.io', http: { paths: [bucket] } }] })],
  ])('that are resources, %s, answer 503 and are told', (_title, builder) => {
    const { table, problems } = compiled([builder.build()])
    const host = table.hosts.get('a.io')
    const target = host?.fallback ?? host?.paths[0]?.target ?? table.fallback
    expect(table.backends.get(target?.backend ?? '')).toEqual({ endpoints: [], unavailable: 'resource-backend' })
    expect(problems).toEqual(['default/w ResourceBackendUnsupported'])
  })
})

describe('certificates', () => {
  let good: Certificate
  let other: Certificate
  let expired: Certificate
  beforeAll(async () => {
    good = await certificateFor('a.io', 86_400_000, NOW)
    other = await certificateFor('b.io', 86_400_000, NOW)
    expired = await certificateFor('a.io', 60_000, NOW - 86_400_000)
  })
  const secret = (name: string, crt: string | undefined, key: string | undefined): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name, namespace: 'default' },
    data: {
      ...(crt && { 'tls.crt': Buffer.from(crt).toString('base64') }),
      ...(key && { 'tls.key': Buffer.from(key).toString('base64') }),
    },
  })
  const tlsIngress = ingress('w').host('a.io', { '/': 'web:80' }).tls('cert', 'a.io').build()

  it('go with their hosts', () => {
    const { table, problems } = compiled([tlsIngress], sources([web], [webSlice], [secret('cert', good.chain, good.key)]))
    expect([...table.tlsHosts]).toEqual([['a.io', 'default/cert']])
    expect(table.certificates.get('default/cert')).toEqual(good)
    expect(problems).toEqual([])
  })

  it.each<[string, () => readonly Secret[], boolean, string]>([
    ['that are missing', () => [], false, 'SecretNotFound'],
    ['without a key', () => [secret('cert', good.chain, undefined)], false, 'CertificateInvalid'],
    ['without a chain', () => [secret('cert', undefined, good.key)], false, 'CertificateInvalid'],
    ['with another’s key', () => [secret('cert', good.chain, other.key)], false, 'CertificateInvalid'],
    ['of garbage', () => [secret('cert', 'x', 'y')], false, 'CertificateInvalid'],
    ['that are expired', () => [secret('cert', expired.chain, expired.key)], true, 'CertificateExpired'],
    ['for other hosts', () => [secret('cert', other.chain, other.key)], true, 'CertificateHostMismatch'],
  ])('%s are told and harm nothing else', (_, secrets, isServed, reason) => {
    const { table, problems } = compiled([tlsIngress], sources([web], [webSlice], secrets()))
    expect(table.certificates.has('default/cert')).toBe(isServed)
    expect(problems).toEqual([`default/w ${reason}`])
    expect(rules(table, 'a.io')).toHaveLength(1)
  })

  it('never show their key in a problem', () => {
    const routes = new Routes()
    routes.setIngress(tlsIngress)
    routes.compile(sources([web], [webSlice], [secret('cert', good.chain, `${good.key.slice(0, 80)}broken`)]))
    expect(JSON.stringify(routes.standing())).not.toContain(good.key.slice(40, 70))
  })

  it('of one host are the oldest Ingress’s', () => {
    const late = ingress('late').created('2026-02-01T00:00:00Z').host('a.io', { '/l': 'web:80' }).tls('late', 'a.io').build()
    const { table, problems } = compiled(
      [late, tlsIngress],
      sources([web], [webSlice], [secret('cert', good.chain, good.key), secret('late', good.chain, good.key)]),
    )
    expect(table.tlsHosts.get('a.io')).toBe('default/cert')
    expect(problems).toEqual(['default/late CertificateConflict'])
  })

  it('without hosts are for the Ingress’s own hosts, or for all when it has none', () => {
    const own = ingress('w').host('a.io', { '/': 'web:80' }).tls('cert').build()
    expect([...compiled([own]).table.tlsHosts.keys()]).toEqual(['a.io'])
    expect([...compiled([ingress('w').defaultBackend('web:80').tls('cert').build()]).table.tlsHosts.keys()]).toEqual([''])
  })

  it('that may not be read are told so, and harm no other host', () => {
    const both = ingress('w').host('a.io', {}).host('b.io', {}).tls('cert', 'a.io').tls('closed', 'b.io').build()
    const { table, problems } = compiled([both], {
      ...sources([], [], [secret('cert', good.chain, good.key)]),
      secretRefusal: (key) => (key === 'default/closed' ? 'forbidden' : undefined),
    })
    expect([...table.certificates.keys()]).toEqual(['default/cert'])
    expect(problems).toEqual(['default/w SecretForbidden'])
  })

  it('of one Secret may be the default of all hosts, until an Ingress asks for another', () => {
    const routes = new Routes()
    const from = sources([], [], [secret('cert', good.chain, good.key), secret('all', other.chain, other.key)])
    routes.setDefaultCertificate('default/all')
    routes.compile(from)
    expect(routes.table.tlsHosts.get('')).toBe('default/all')
    expect(routes.table.certificates.get('default/all')).toEqual(other)
    routes.setIngress(ingress('w').defaultBackend('web:80').tls('cert').build())
    routes.compile(from)
    expect(routes.table.tlsHosts.get('')).toBe('default/cert')
    routes.removeIngress('default/w')
    routes.compile(from)
    expect(routes.table.tlsHosts.get('')).toBe('default/all')
    expect(routes.table.certificates.has('default/cert')).toBe(false)
  })
})
