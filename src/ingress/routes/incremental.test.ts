import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConfigMap, EndpointSlice, Ingress, Secret, Service } from '../../api/index.ts'
import { endpointSlice, ingress, service } from '../../api/testing/index.ts'
import { LiveTable } from '../../l7/table/index.ts'
import { certificateFor } from '../../l7/testing/certificates.ts'
import { keyOf } from './problem.ts'
import { Routes } from './routes.ts'
import type { RouteSources } from './sources.ts'

const { chain: authority } = await certificateFor('authority', 86_400_000, Date.UTC(2026, 0, 1))

const HOSTS = ['a.io', '*.io', '', 'A.io', 'www.a.io']
const SERVICES = ['web', 'api']

/** A world of a few names, so that Ingresses collide. */
interface World {
  readonly ingresses: Map<string, Ingress>
  readonly services: Map<string, Service>
  readonly slices: Map<string, EndpointSlice>
  readonly secrets: Map<string, Secret>
  readonly configMaps: Map<string, ConfigMap>
  defaults: Readonly<Record<string, string>>
}

const newWorld = (): World => ({
  ingresses: new Map(),
  services: new Map(),
  slices: new Map(),
  secrets: new Map(),
  configMaps: new Map(),
  defaults: {},
})

/** Every kind of dependency: other hosts, other Ingresses, Secrets, ConfigMaps, Services, defaults. */
const FEATURES: readonly Readonly<Record<string, string>>[] = [
  { canary: 'true', 'canary-weight': '10' },
  { 'server-alias': 'b.io, www.a.io' },
  { 'server-alias': 'a.io, c.io' },
  { 'from-to-www-redirect': 'true' },
  { 'ssl-redirect': 'true' },
  { 'app-root': '/x' },
  { 'use-regex': 'true' },
  { 'load-balance': 'ewma' },
  { 'load-balance': 'nonsense' },
  { 'backend-protocol': 'HTTPS', 'proxy-ssl-secret': 's1', 'proxy-ssl-verify': 'on' },
  { 'default-backend': 'api', 'custom-http-errors': '503' },
  { 'auth-type': 'basic', 'auth-secret': 's2' },
  { 'auth-tls-secret': 's1' },
  { 'ssl-passthrough': 'true' },
  { 'custom-headers': 'headers' },
  { 'auth-url': 'https://$host/' },
  { 'whitelist-source-range': 'nonsense' },
]

const annotations = fc
  .subarray([...FEATURES], { maxLength: 3 })
  .map((features) => Object.assign({}, ...features) as Readonly<Record<string, string>>)
  .map((all) => Object.fromEntries(Object.entries(all).map(([name, value]) => [`nginx.ingress.kubernetes.io/${name}`, value])))

type Step = (world: World, routes: Routes) => void

const backendText = fc
  .tuple(fc.constantFrom(...SERVICES), fc.constantFrom('80', 'http', '81'))
  .map(([name, port]) => `${name}:${port}`)

const anyIngress = fc
  .record({
    name: fc.constantFrom('i1', 'i2', 'i3'),
    created: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
    hosts: fc.array(
      fc.tuple(
        fc.constantFrom(...HOSTS),
        fc.dictionary(fc.constantFrom('/', '/x', '/x/', '/__proto__'), backendText, { minKeys: 1, maxKeys: 2 }),
        fc.constantFrom('Prefix', 'Exact'),
      ),
      { minLength: 1, maxLength: 3 },
    ),
    defaultBackend: fc.option(backendText, { nil: undefined }),
    annotations,
    isNginx: fc.boolean(),
    tls: fc.option(fc.tuple(fc.constantFrom('s1', 's2'), fc.subarray(['a.io', '*.io'])), { nil: undefined }),
  })
  .map(({ name, created, hosts, defaultBackend, tls, annotations: given, isNginx }) => {
    let object = ingress(name).created(created).metadata({ annotations: given })
    if (isNginx) object = object.className('nginx')
    for (const [host, paths, type] of hosts) object = object.host(host, paths, type as 'Prefix' | 'Exact')
    if (defaultBackend !== undefined) object = object.defaultBackend(defaultBackend)
    if (tls !== undefined) object = object.tls(tls[0], ...tls[1])
    return object.build()
  })

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: anyIngress.map(
      (object): Step =>
        (world, routes) => {
          world.ingresses.set(keyOf(object), object)
          routes.setIngress(object)
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('i1', 'i2', 'i3').map(
      (name): Step =>
        (world, routes) => {
          world.ingresses.delete(`default/${name}`)
          routes.removeIngress(`default/${name}`)
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...SERVICES), fc.constantFrom('port', 'external', 'gone')).map(
      ([name, shape]): Step =>
        (world, routes) => {
          const key = `default/${name}`
          if (shape === 'gone') world.services.delete(key)
          else
            world.services.set(
              key,
              shape === 'port' ? service(name).port(80, 'http').build() : service(name).externalName('x.io').build(),
            )
          routes.serviceChanged(key)
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...SERVICES), fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.0.3']), fc.boolean()).map(
      ([name, addresses, ready]): Step =>
        (world, routes) => {
          let slice = endpointSlice(name).port(8080, 'http')
          for (const address of addresses) slice = slice.endpoint(address, { ready, serving: true, terminating: !ready })
          world.slices.set(`default/${name}`, slice.build())
          routes.serviceChanged(`default/${name}`)
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom('s1', 's2'), fc.boolean()).map(
      ([name, isThere]): Step =>
        (world, routes) => {
          const key = `default/${name}`
          const base64 = (text: string): string => Buffer.from(text).toString('base64')
          const auth = base64('ann:$2y$05$abcdefghijklmnopqrstuv')
          const data = { 'tls.crt': base64('x'), 'tls.key': base64('y'), 'ca.crt': base64(authority), auth }
          if (isThere)
            world.secrets.set(key, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, data })
          else world.secrets.delete(key)
          routes.secretChanged(key)
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('1', '2', undefined).map(
      (value): Step =>
        (world, routes) => {
          const key = 'default/headers'
          const metadata = { name: 'headers', namespace: 'default' }
          if (value === undefined) world.configMaps.delete(key)
          else world.configMaps.set(key, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'X-A': value } })
          routes.configMapChanged(key)
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom<World['defaults']>({}, { 'load-balance': 'ewma' }, { 'ssl-redirect': 'true', 'block-cidrs': '10.0.0.1' })
      .map(
        (defaults): Step =>
          (world, routes) => {
            world.defaults = defaults
            for (const object of world.ingresses.values()) routes.setIngress(object)
          },
      ),
  },
)

const sourcesOf = (world: World): RouteSources => ({
  service: (key) => world.services.get(key),
  slices: (key) => [...world.slices].filter(([name]) => name === key).map(([, slice]) => slice),
  secret: (key) => world.secrets.get(key),
  configMap: (key) => world.configMaps.get(key),
  defaults: () => world.defaults,
  nowMs: Date.UTC(2026, 0, 1),
})

const shape = (table: Routes['table']): unknown => {
  const sorted = (map: ReadonlyMap<string, unknown> = new Map()): unknown => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    hosts: sorted(table.hosts),
    backends: sorted(table.backends),
    tls: sorted(table.tlsHosts),
    certificates: sorted(table.certificates),
    clientAuth: sorted(table.clientAuth),
    passthrough: sorted(table.passthrough),
    fallback: table.fallback,
  }
}

describe('incremental compilation', () => {
  it('gives the table, the problems and the deltas of a full one, for every history', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyStep, fc.boolean()), { maxLength: 30, size: 'max' }), (steps) => {
        const world = newWorld()
        const routes = new Routes()
        const engine = new LiveTable()
        for (const [step, flush] of [...steps, [() => {}, true] as const]) {
          step(world, routes)
          if (flush) engine.apply(routes.compile(sourcesOf(world)).delta ?? {})
        }
        const full = new Routes()
        for (const object of world.ingresses.values()) full.setIngress(object)
        full.compile(sourcesOf(world))
        expect(shape(routes.table)).toEqual(shape(full.table))
        expect(shape(engine)).toEqual(shape(full.table))
        expect(routes.standing()).toEqual(full.standing())
        for (const host of HOSTS) expect(routes.lostOf(host)).toEqual(full.lostOf(host))
      }),
      { numRuns: 250 },
    )
  }, 60_000)

  it('touches one backend when one endpoint of ten thousand hosts changes', () => {
    const routes = new Routes()
    const slices = new Map<string, EndpointSlice>()
    const services = new Map<string, Service>()
    for (let i = 0; i < 10_000; i++) {
      routes.setIngress(
        ingress(`i${i}`)
          .host(`h${i}.io`, { '/': `s${i}:80` })
          .build(),
      )
      services.set(`default/s${i}`, service(`s${i}`).port(80, 'http').build())
      slices.set(`default/s${i}`, endpointSlice(`s${i}`).port(8080, 'http').endpoints('10.0.0.1').build())
    }
    let read = 0
    const sources: RouteSources = {
      service: (key) => {
        read++
        return services.get(key)
      },
      slices: (key) => [slices.get(key) ?? endpointSlice('none').build()],
      secret: () => undefined,
      nowMs: 0,
    }
    expect(routes.compile(sources).delta?.hosts?.size).toBe(10_000)
    read = 0
    slices.set('default/s7', endpointSlice('s7').port(8080, 'http').endpoints('10.0.0.1', '10.0.0.2').build())
    routes.serviceChanged('default/s7')
    const { delta } = routes.compile(sources)
    expect([delta?.backends?.size, delta?.hosts?.size, delta?.certificates?.size, read]).toEqual([1, 0, 0, 1])
  })

  it('tells a problem once', () => {
    const routes = new Routes()
    const object = ingress('w').host('a.io', { '/': 'gone:80' }).build()
    const world = sourcesOf(newWorld())
    routes.setIngress(object)
    expect(routes.compile(world).problems).toHaveLength(1)
    routes.setIngress({ ...object, metadata: { ...object.metadata, resourceVersion: '2' } })
    expect(routes.compile(world)).toEqual({ delta: undefined, problems: [] })
  })
})
