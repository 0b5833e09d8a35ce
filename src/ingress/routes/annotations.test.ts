import { describe, expect, it } from 'vitest'
import type { ConfigMap, EndpointSlice, Ingress, Secret, Service } from '../../api/index.ts'
import { endpointSlice, ingress, service } from '../../api/testing/index.ts'
import { canonicalPath, Matcher, type RouteTable } from '../../l7/table/index.ts'
import { certificateFor } from '../../l7/testing/certificates.ts'
import { serviceOfSlice } from '../../model/index.ts'
import { keyOf } from './problem.ts'
import { Routes } from './routes.ts'
import type { RouteSources } from './sources.ts'

interface World {
  readonly services?: readonly Service[]
  readonly slices?: readonly EndpointSlice[]
  readonly secrets?: readonly Secret[]
  readonly configMaps?: readonly ConfigMap[]
}

const web = service('web').port(80, 'http').build()
const api = service('api').port(80, 'http').build()
const webSlice = endpointSlice('web').port(8080, 'http').endpoints('10.0.0.1').build()
const apiSlice = endpointSlice('api').port(8080, 'http').endpoints('10.0.0.2').build()

const sourcesOf = ({
  services = [web, api],
  slices = [webSlice, apiSlice],
  secrets = [],
  configMaps = [],
}: World): RouteSources => {
  const find =
    <T extends { readonly metadata: { readonly namespace?: string; readonly name: string } }>(all: readonly T[]) =>
    (key: string) =>
      all.find((object) => keyOf(object) === key)
  return {
    service: find(services),
    slices: (key) => slices.filter((slice) => serviceOfSlice(slice) === key),
    secret: find(secrets),
    configMap: find(configMaps),
    nowMs: Date.UTC(2026, 0, 1),
  }
}

const compiled = (
  ingresses: readonly Ingress[],
  world: World = {},
): { readonly table: RouteTable; readonly problems: readonly string[] } => {
  const routes = new Routes()
  for (const object of ingresses) routes.setIngress(object)
  routes.compile(sourcesOf(world))
  return { table: routes.table, problems: routes.standing().map(({ ingress: name, reason }) => `${name} ${reason}`) }
}

const annotate = (annotations: Readonly<Record<string, string>>) => ({
  annotations: Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [
      name.includes('/') ? name : `nginx.ingress.kubernetes.io/${name}`,
      value,
    ]),
  ),
})

const at = (name: string, annotations: Readonly<Record<string, string>>, created = '2026-01-01T00:00:00Z') =>
  ingress(name).metadata(annotate(annotations)).created(created)

/** The rule that the engine's own matcher chooses, and captures. */
const chosen = (table: RouteTable, url: string): string => {
  const [host = '', ...rest] = url.split('/')
  const matcher = new Matcher()
  for (const [pattern, routes] of table.hosts) matcher.setHost(pattern, routes)
  const match = matcher.match(host, canonicalPath(`/${rest.join('/')}`) ?? '')
  return match === undefined ? 'none' : [match.route?.match, match.route?.path, ...(match.captures?.slice(1) ?? [])].join(' ')
}

const policyAt = (table: RouteTable, host: string, path: string) =>
  table.hosts.get(host)?.paths.find((route) => route.path === path)?.target.policy

describe('expressions', () => {
  const object = at('w', { 'rewrite-target': '/$2' }).host('a.io', { '/x(/|$)(.*)': 'web:80' }, 'ImplementationSpecific')

  it.each([
    ['a.io/x/y/z', 'regex /x(/|$)(.*) / y/z'],
    ['a.io/X', 'regex /x(/|$)(.*)  '],
    ['a.io/xy', 'none'],
    ['a.io/q/x/', 'none'],
  ])('%s is taken by %j', (url, rule) => expect(chosen(compiled([object.build()]).table, url)).toBe(rule))

  it('are the paths of the Ingress that wants them, not those of the host', () => {
    const other = at('o', {}).host('a.io', { '/y.z': 'api:80' }).build()
    const { table, problems } = compiled([object.build(), other])
    expect(chosen(table, 'a.io/yxz')).toBe('none')
    expect(chosen(table, 'a.io/y.z')).toBe('prefix /y.z')
    expect(problems).toEqual([])
  })

  it('are Prefix paths too, and never Exact ones', () => {
    const both = at('w', { 'use-regex': 'true' })
      .host('a.io', { '/p': 'web:80' })
      .host('a.io', { '/e.x': 'web:80' }, 'Exact')
      .build()
    const { table } = compiled([both])
    expect([chosen(table, 'a.io/pq'), chosen(table, 'a.io/e.x'), chosen(table, 'a.io/eyx')]).toEqual([
      'regex /p',
      'exact /e.x',
      'none',
    ])
  })

  it('that are none are told, and only their path is missing', () => {
    const bad = at('w', { 'use-regex': 'true' }).host('a.io', { '/(': 'web:80', '/ok': 'web:80' }).build()
    const { table, problems } = compiled([bad])
    expect(table.hosts.get('a.io')?.paths.map(({ path }) => path)).toEqual(['/ok'])
    expect(problems).toEqual(['default/w InvalidPath'])
  })
})

describe('canaries', () => {
  const main = at('main', { 'backend-protocol': 'GRPC' }).host('a.io', { '/': 'web:80' }).build()
  const canary = (name: string, annotations: Readonly<Record<string, string>>, created?: string) =>
    at(name, { canary: 'true', ...annotations }, created).host('a.io', { '/': 'api:80' })

  it('join the main rule, oldest first, and reach their pods as it does', () => {
    const { table, problems } = compiled([
      canary('young', { 'canary-weight': '10' }, '2026-02-01T00:00:00Z').build(),
      canary('old', { 'canary-by-header': 'X-C', 'canary-by-header-value': 'v', 'load-balance': 'ewma' }).build(),
      main,
    ])
    const canaries = policyAt(table, 'a.io', '/')?.canaries ?? []
    expect(canaries).toMatchObject([
      { labels: { ingress: 'default/old', service: 'default/api' }, header: { name: 'x-c', value: 'v' } },
      { labels: { ingress: 'default/young' }, weight: 10, total: 100 },
    ])
    expect(canaries.map(({ backend }) => table.backends.get(backend))).toMatchObject([
      { protocol: 'h2c', balance: 'ewma', endpoints: [{ address: '10.0.0.2' }] },
      { protocol: 'h2c', endpoints: [{ address: '10.0.0.2' }] },
    ])
    expect(problems).toEqual([])
  })

  it('have no routes of their own, and are told when there is no main rule', () => {
    const { table, problems } = compiled([canary('c', {}).build()])
    expect(table.hosts.has('a.io')).toBe(false)
    expect(problems).toEqual(['default/c CanaryWithoutMain'])
  })

  it('of another namespace take nothing', () => {
    const { table, problems } = compiled([main, canary('c', { 'canary-weight': '100' }).namespace('other').build()])
    expect(policyAt(table, 'a.io', '/')?.canaries).toBeUndefined()
    expect(problems).toEqual(['other/c CanaryWithoutMain'])
  })

  it('whose pods nobody reaches any more are forgotten', () => {
    const routes = new Routes()
    routes.setIngress(main)
    routes.setIngress(canary('c', {}).build())
    routes.compile(sourcesOf({}))
    routes.removeIngress('default/c')
    routes.compile(sourcesOf({}))
    expect([...routes.table.backends.keys()].filter((id) => id.includes('api'))).toEqual([])
  })
})

describe('hosts beside those with rules', () => {
  const main = at('main', { 'server-alias': 'b.io' }).host('a.io', { '/': 'web:80' }).tls('cert', 'a.io').build()

  it('are aliases, with all rules of the host and its certificate', () => {
    const other = at('other', {}).host('a.io', { '/x': 'api:80' }).build()
    const { table, problems } = compiled([main, other])
    expect(table.hosts.get('b.io')?.paths.map(({ path }) => path)).toEqual(['/', '/x'])
    expect(table.tlsHosts.get('b.io')).toBe('default/cert')
    expect(problems).toEqual(['default/main SecretNotFound'])
  })

  it('are no aliases where another Ingress has rules', () => {
    const taken = at('taken', {}, '2026-02-01T00:00:00Z').host('b.io', { '/': 'api:80' }).build()
    const { table, problems } = compiled([main, taken])
    expect(table.hosts.get('b.io')?.paths[0]?.target.labels['ingress']).toBe('default/taken')
    expect(problems).toContain('default/main AliasConflict')
  })

  it('follow changes of the rules that they stand for', () => {
    const routes = new Routes()
    routes.setIngress(main)
    routes.compile(sourcesOf({}))
    routes.setIngress(at('other', {}).host('a.io', { '/x': 'api:80' }).build())
    const { delta } = routes.compile(sourcesOf({}))
    expect([...(delta?.hosts?.keys() ?? [])].sort()).toEqual(['a.io', 'b.io'])
  })

  it('are redirected from or to www', () => {
    const object = at('w', { 'from-to-www-redirect': 'true' })
      .host('a.io', { '/': 'web:80' })
      .host('www.b.io', { '/': 'web:80' })
      .build()
    const { table } = compiled([object])
    expect(policyAt(table, 'www.a.io', '/')?.redirects).toEqual([
      { status: 308, when: 'always', to: [{ of: 'scheme' }, '://a.io', { of: 'requestUri' }] },
    ])
    expect(policyAt(table, 'b.io', '/')?.redirects?.[0]?.to).toContain('://www.b.io')
  })

  it('are not redirected when they have rules', () => {
    const object = at('w', { 'from-to-www-redirect': 'true' })
      .host('a.io', { '/': 'web:80' })
      .host('www.a.io', { '/': 'api:80' })
      .build()
    const { table } = compiled([object])
    expect(policyAt(table, 'www.a.io', '/')).toBeUndefined()
  })
})

describe('redirects to https', () => {
  const plain = (annotations: Readonly<Record<string, string>> = {}) => at('w', annotations).host('a.io', { '/': 'web:80' })
  const redirected = (objects: readonly Ingress[]): boolean =>
    (policyAt(compiled(objects).table, 'a.io', '/')?.redirects ?? []).some(({ when }) => when === 'plain-http')

  it.each([
    ['class fairway with a certificate', plain().className('fairway').tls('c', 'a.io'), false],
    ['class nginx with a certificate', plain().className('nginx').tls('c', 'a.io'), true],
    ['class nginx with a wildcard certificate', plain().className('nginx').tls('c', '*.io'), true],
    ['class nginx without one', plain().className('nginx'), false],
    [
      'old class nginx',
      at('w', { 'kubernetes.io/ingress.class': 'nginx' }).host('a.io', { '/': 'web:80' }).tls('c', 'a.io'),
      true,
    ],
    ['class nginx that says no', plain({ 'ssl-redirect': 'false' }).className('nginx').tls('c', 'a.io'), false],
    ['an annotation', plain({ 'ssl-redirect': 'true' }).tls('c', 'a.io'), true],
    ['an annotation without a certificate', plain({ 'ssl-redirect': 'true' }), false],
    ['force without a certificate', plain({ 'force-ssl-redirect': 'true' }), true],
  ])('%s', (_, builder, expected) => expect(redirected([builder.build()])).toBe(expected))

  it('begin when another Ingress brings the certificate', () => {
    const routes = new Routes()
    routes.setIngress(plain({ 'ssl-redirect': 'true' }).build())
    routes.compile(sourcesOf({}))
    routes.setIngress(ingress('tls').host('z.io', {}).tls('c', '*.io').build())
    routes.compile(sourcesOf({}))
    expect(policyAt(routes.table, 'a.io', '/')?.redirects).toHaveLength(1)
  })

  it('name the port where https is', () => {
    const routes = new Routes()
    routes.setIngress(plain({ 'force-ssl-redirect': 'true' }).build())
    routes.compile({ ...sourcesOf({}), httpsPort: 8443 })
    expect(policyAt(routes.table, 'a.io', '/')?.redirects?.[0]?.to).toEqual([
      'https://',
      { of: 'host' },
      ':8443',
      { of: 'requestUri' },
    ])
  })
})

describe('app-root', () => {
  it('takes / and nothing else, also of expressions', () => {
    const object = at('w', { 'app-root': '/app', 'use-regex': 'true' }).host('a.io', { '/(.*)': 'web:80' }).build()
    const { table } = compiled([object])
    expect(chosen(table, 'a.io/')).toBe('exact /')
    expect(policyAt(table, 'a.io', '/')?.redirects).toEqual([{ status: 302, when: 'always', to: ['/app'] }])
    expect(chosen(table, 'a.io/app')).toBe('regex /(.*) app')
  })
})

describe('backends', () => {
  const backendOf = (annotations: Readonly<Record<string, string>>, world: World = {}) => {
    const { table, problems } = compiled([at('w', annotations).host('a.io', { '/': 'web:80' }).build()], world)
    return { ...table.backends.get(table.hosts.get('a.io')?.paths[0]?.target.backend ?? ''), problems }
  }
  const withProtocol = (appProtocol: string): World => ({ services: [service('web').port(80, 'http', { appProtocol }).build()] })
  const clusterIP = { services: [service('web').port(80, 'http').clusterIP('172.30.0.9').build()] }

  it.each<[string, Readonly<Record<string, string>>, World, object]>([
    ['HTTPS', { 'backend-protocol': 'HTTPS' }, {}, { protocol: 'https', problems: [] }],
    ['gRPC', { 'backend-protocol': 'GRPC' }, {}, { protocol: 'h2c' }],
    ['gRPC by appProtocol', {}, withProtocol('grpc'), { protocol: 'h2c' }],
    ['h2c by appProtocol', {}, withProtocol('kubernetes.io/h2c'), { protocol: 'h2c' }],
    ['https by appProtocol', {}, withProtocol('https'), { protocol: 'https' }],
    ['wss by appProtocol', {}, withProtocol('kubernetes.io/wss'), { protocol: 'https' }],
    ['what the annotation says before appProtocol', { 'backend-protocol': 'HTTPS' }, withProtocol('grpc'), { protocol: 'https' }],
    [
      'a name for SNI',
      { 'backend-protocol': 'HTTPS', 'proxy-ssl-name': 'p.svc', 'proxy-ssl-server-name': 'on' },
      {},
      { tls: { serverName: 'p.svc', verify: false } },
    ],
    ['the ClusterIP', { 'service-upstream': 'true' }, clusterIP, { endpoints: [{ address: '172.30.0.9', port: 80 }] }],
    [
      'a check',
      { 'fairway.dev/health-check-path': '/h' },
      {},
      { health: { path: '/h', intervalMs: 10_000, statuses: [200, 399] } },
    ],
    ['a slow start', { 'fairway.dev/slow-start': '10s' }, {}, { slowStartMs: 10_000 }],
    [
      'nobody, when TLS wants to be checked against nothing',
      { 'backend-protocol': 'HTTPS', 'proxy-ssl-verify': 'on' },
      {},
      { endpoints: [], unavailable: 'backend-tls-unreadable', problems: ['default/w AnnotationInvalid'] },
    ],
    [
      'nobody, when the Secret for TLS is not there',
      { 'backend-protocol': 'HTTPS', 'proxy-ssl-secret': 'gone' },
      {},
      { endpoints: [], unavailable: 'backend-tls-unreadable' },
    ],
    [
      'nobody, when it is another namespace’s',
      { 'backend-protocol': 'HTTPS', 'proxy-ssl-secret': 'other/s' },
      {},
      { endpoints: [], unavailable: 'backend-tls-unreadable' },
    ],
    [
      'the default backend, when there are no endpoints',
      { 'default-backend': 'api' },
      { slices: [apiSlice] },
      { endpoints: [{ address: '10.0.0.2', port: 8080 }] },
    ],
    ['themselves, when there are', { 'default-backend': 'api' }, {}, { endpoints: [{ address: '10.0.0.1', port: 8080 }] }],
  ])('are reached by %s', (_, annotations, world, expected) => expect(backendOf(annotations, world)).toMatchObject(expected))

  it('with other settings are others; with the same they are one', () => {
    const object = (name: string, path: string, annotations: Readonly<Record<string, string>>) =>
      at(name, annotations)
        .host('a.io', { [path]: 'web:80' })
        .build()
    const { table } = compiled([
      object('a', '/a', {}),
      object('b', '/b', { 'load-balance': 'ewma' }),
      object('c', '/c', { 'load-balance': 'ewma', 'limit-rps': '5' }),
    ])
    const ids = (table.hosts.get('a.io')?.paths ?? []).map(({ target }) => target.backend)
    expect(ids[0]).toBe('default/web/80')
    expect(ids[1]).toMatch(/^default\/web\/80~[0-9a-f]{10}$/)
    expect(ids[2]).toBe(ids[1])
  })

  it('of errors are the first port of their Service', () => {
    const object = at('w', { 'custom-http-errors': '503', 'default-backend': 'api' }).host('a.io', { '/': 'web:80' }).build()
    const { table } = compiled([object])
    const pages = policyAt(table, 'a.io', '/')?.errorPages
    expect(pages).toMatchObject({ statuses: [503], backend: 'default/api/', labels: { service: 'default/api' } })
    expect(table.backends.get('default/api/')).toEqual({ endpoints: [{ address: '10.0.0.2', port: 8080 }] })
  })

  it('take the balancing of the defaults', () => {
    const routes = new Routes()
    routes.setIngress(at('w', {}).host('a.io', { '/': 'web:80' }).build())
    routes.compile({ ...sourcesOf({}), defaults: () => ({ 'load-balance': 'ewma' }) })
    expect(routes.table.backends.get('default/web/80')?.balance).toBe('ewma')
  })
})

describe('client certificates', () => {
  const secret = (data: Readonly<Record<string, string>>): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'ca', namespace: 'default' },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  })
  const object = at('w', { 'auth-tls-secret': 'default/ca', 'auth-tls-verify-depth': '2', 'server-alias': 'b.io' }).host('a.io', {
    '/': 'web:80',
  })

  it('are asked for at the host and its aliases, and plain http leads there', async () => {
    const { chain } = await certificateFor('ca', 86_400_000, Date.UTC(2026, 0, 1))
    const { table, problems } = compiled([object.build()], { secrets: [secret({ 'ca.crt': chain })] })
    expect([...(table.clientAuth?.keys() ?? [])].sort()).toEqual(['a.io', 'b.io'])
    expect(table.clientAuth?.get('a.io')).toMatchObject({ verify: 'required', depth: 2, passToUpstream: false })
    expect(policyAt(table, 'a.io', '/')?.redirects).toMatchObject([{ when: 'plain-http' }])
    expect(problems).toEqual([])
  })

  it.each<[string, readonly Secret[]]>([
    ['missing', []],
    ['empty', [secret({})]],
    ['garbage', [secret({ 'ca.crt': '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----' })]],
  ])('with authorities that are %s close every route of the host', (_, secrets) => {
    const other = at('o', {}).host('a.io', { '/o': 'api:80' }).build()
    const { table, problems } = compiled([object.build(), other], { secrets })
    expect(table.clientAuth?.has('a.io')).toBe(false)
    const refusals = (table.hosts.get('a.io')?.paths ?? []).map(({ target }) => target.policy?.refusal?.status)
    expect(refusals).toEqual([403, 403])
    expect(problems).toEqual(['default/w AnnotationInvalid'])
  })

  it('with a revocation list that is not read close too', async () => {
    const { chain } = await certificateFor('ca', 86_400_000, Date.UTC(2026, 0, 1))
    const { table } = compiled([object.build()], { secrets: [secret({ 'ca.crt': chain, 'ca.crl': 'x' })] })
    expect(policyAt(table, 'a.io', '/')?.refusal?.status).toBe(403)
  })

  it.each([
    ['on', true],
    ['optional', false],
    ['optional_no_ca', false],
  ])('that are asked for %s need https: %s', async (verify, isRedirected) => {
    const { chain } = await certificateFor('ca', 86_400_000, Date.UTC(2026, 0, 1))
    const asking = at('w', { 'auth-tls-secret': 'ca', 'auth-tls-verify-client': verify }).host('a.io', { '/': 'web:80' }).build()
    const { table } = compiled([asking], { secrets: [secret({ 'ca.crt': chain })] })
    expect(policyAt(table, 'a.io', '/')?.redirects !== undefined).toBe(isRedirected)
  })

  it('cannot be asked for where no host is named', async () => {
    const { chain } = await certificateFor('ca', 86_400_000, Date.UTC(2026, 0, 1))
    const all = at('w', { 'auth-tls-secret': 'ca' }).defaultBackend('web:80').build()
    const { table, problems } = compiled([all], { secrets: [secret({ 'ca.crt': chain })] })
    expect(table.fallback?.policy?.refusal?.status).toBe(403)
    expect(problems).toEqual(['default/w AnnotationInvalid'])
  })

  it('are not walked around by passthrough', async () => {
    const { chain } = await certificateFor('ca', 86_400_000, Date.UTC(2026, 0, 1))
    const both = at('w', { 'auth-tls-secret': 'ca', 'ssl-passthrough': 'true' }).host('a.io', { '/': 'web:80' }).build()
    const { table, problems } = compiled([both], { secrets: [secret({ 'ca.crt': chain })] })
    expect(table.passthrough?.size).toBe(0)
    expect(problems).toEqual(['default/w AnnotationInvalid'])
  })
})

describe('passthrough', () => {
  const object = (name: string, asks: boolean, created: string) =>
    at(name, asks ? { 'ssl-passthrough': 'true' } : {}, created)
      .host('a.io', { [asks ? '/' : '/x']: 'web:80' })
      .build()

  it('goes to the pods of /', () => {
    const { table } = compiled([object('w', true, '2026-01-01T00:00:00Z')])
    expect(table.passthrough?.get('a.io')).toMatchObject({ backend: 'default/web/80', labels: { ingress: 'default/w' } })
  })

  it('is the oldest Ingress’s to ask for', () => {
    const { table, problems } = compiled([
      object('old', false, '2026-01-01T00:00:00Z'),
      object('young', true, '2026-02-01T00:00:00Z'),
    ])
    expect(table.passthrough?.size).toBe(0)
    expect(problems).toEqual(['default/young PassthroughConflict'])
  })
})

describe('what annotations refer to', () => {
  const users = (line: string): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'users', namespace: 'default' },
    data: { auth: Buffer.from(line).toString('base64') },
  })
  const object = at('w', { 'auth-type': 'basic', 'auth-secret': 'users', 'custom-headers': 'headers' })
    .host('a.io', { '/': 'web:80' })
    .build()
  const HASH = '$2y$05$abcdefghijklmnopqrstuv'

  it('is known, so that it can be read', () => {
    const routes = new Routes()
    routes.setIngress(object)
    expect([...routes.claims.referencedSecrets()]).toEqual(['default/users'])
    expect([...routes.claims.referencedConfigMaps()]).toEqual(['default/headers'])
  })

  it('recompiles the routes of its Ingress, and no others', () => {
    const routes = new Routes()
    routes.setIngress(object)
    for (let i = 0; i < 50; i++) routes.setIngress(at(`i${i}`, {}).host(`h${i}.io`, { '/': 'web:80' }).build())
    routes.compile(sourcesOf({}))
    expect(policyAt(routes.table, 'a.io', '/')?.refusal?.status).toBe(503)
    routes.secretChanged('default/users')
    const { delta } = routes.compile(sourcesOf({ secrets: [users(`ann:${HASH}`)] }))
    expect([...(delta?.hosts?.keys() ?? [])]).toEqual(['a.io'])
    expect(policyAt(routes.table, 'a.io', '/')?.basicAuth?.users).toEqual(new Map([['ann', HASH]]))
    routes.secretChanged('default/users')
    routes.compile(sourcesOf({ secrets: [users(`bob:${HASH}`)] }))
    expect([...(policyAt(routes.table, 'a.io', '/')?.basicAuth?.users.keys() ?? [])]).toEqual(['bob'])
    routes.secretChanged('default/users')
    routes.compile(sourcesOf({}))
    expect(policyAt(routes.table, 'a.io', '/')?.refusal?.status).toBe(503)
  })

  it('may be a ConfigMap', () => {
    const routes = new Routes()
    routes.setIngress(object)
    const secrets = [users(`ann:${HASH}`)]
    routes.compile(sourcesOf({ secrets }))
    routes.configMapChanged('default/headers')
    const headers: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'headers', namespace: 'default' },
      data: { 'X-A': '1' },
    }
    routes.compile(sourcesOf({ secrets, configMaps: [headers] }))
    expect(policyAt(routes.table, 'a.io', '/')?.responseFields).toEqual({ set: [['x-a', ['1']]] })
    expect(routes.standing()).toEqual([])
  })
})

it('a default backend keeps the guards of its Ingress', () => {
  const object = at('w', { 'whitelist-source-range': 'nonsense' }).defaultBackend('web:80').build()
  expect(compiled([object]).table.fallback?.policy?.refusal?.status).toBe(403)
})

it('external authentication at any host that a client names is closed', () => {
  const object = at('w', { 'auth-url': 'https://$host/auth' }).host('*.io', { '/': 'web:80' }).build()
  const { table, problems } = compiled([object])
  expect(policyAt(table, '*.io', '/')?.refusal?.status).toBe(503)
  expect(problems).toEqual(['default/w AnnotationInvalid'])
})
