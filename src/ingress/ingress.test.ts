import { setMaxListeners } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import {
  ApiError,
  type ConfigMap,
  configMapKind,
  endpointSliceKind,
  type IngressClass,
  ingressClassKind,
  ingressKind,
  secretKind,
  serviceKind,
} from '../api/index.ts'
import { endpointSlice, ingress, service } from '../api/testing/index.ts'
import { aborted, type Running, realClock, silentLogger } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import type { EventText } from '../client/index.ts'
import { fakeApi } from '../client/testing/index.ts'
import { createInformer, createReferencedInformer } from '../informers/index.ts'
import { until } from '../informers/testing/index.ts'
import { LiveTable, type TableDelta } from '../l7/index.ts'
import { sliceIndexes } from '../model/index.ts'
import { createIngress, type IngressController } from './index.ts'

const fairway: IngressClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'fairway' },
  spec: { controller: 'fairway.dev/ingress' },
}
const web = service('web').port(80, 'http').build()
const slice = (...addresses: readonly string[]) =>
  endpointSlice('web')
    .port(8080, 'http')
    .endpoints(...addresses)
    .build()
const shop = (name = 'shop') => ingress(name).className('fairway').host(`${name}.io`, { '/': 'web:80' }).build()

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

interface Started {
  readonly api: ReturnType<typeof fakeApi>
  readonly controller: IngressController
  readonly engine: LiveTable
  readonly deltas: TableDelta[]
  readonly events: (EventText & { readonly about: string })[]
  /** Resolves when the engine or the API looks as wanted. */
  eventually(holds: () => boolean): Promise<void>
  stop(): Promise<void>
}

interface Options extends Pick<Parameters<typeof createIngress>[0], 'clock' | 'configMap' | 'defaultCertificate'> {
  /** Updates that the engine refuses. */
  readonly failures?: number
}

/** The controller between a small API server and a table. */
const start = async (
  objects: (api: ReturnType<typeof fakeApi>) => void,
  { failures = 0, ...rest }: Options = {},
): Promise<Started> => {
  const api = fakeApi()
  objects(api)
  const abort = new AbortController()
  setMaxListeners(0, abort.signal)
  const deps = { client: api.client, clock: realClock, log: silentLogger }
  const ingresses = createInformer({ ...deps, kind: ingressKind })
  const informers = {
    ingresses,
    ingressClasses: createInformer({ ...deps, kind: ingressClassKind }),
    services: createInformer({ ...deps, kind: serviceKind }),
    slices: createInformer({ ...deps, kind: endpointSliceKind, indexes: sliceIndexes }),
    secrets: createReferencedInformer({ ...deps, kind: secretKind }),
    configMaps: createReferencedInformer({ ...deps, kind: configMapKind }),
  }
  const engine = new LiveTable()
  const deltas: TableDelta[] = []
  const events: Started['events'] = []
  let failuresLeft = failures
  let look = (): void => {}
  const controller = createIngress({
    ...informers,
    ...rest,
    engine: {
      update: async (delta) => {
        if (failuresLeft-- > 0) throw new Error('the engine has a bad day')
        deltas.push(delta)
        engine.apply(delta)
        look()
      },
    },
    recorder: {
      event: (object, what) => {
        events.push({ ...what, about: object.metadata.name })
        look()
      },
    },
    log: silentLogger,
  })
  const running: Running[] = await Promise.all(Object.values(informers).map((informer) => informer.start(abort.signal)))
  running.push(await controller.start(abort.signal))
  const stop = async (): Promise<void> => {
    abort.abort()
    await Promise.all(running.map(({ stopped }) => stopped))
  }
  stops.push(stop)
  const eventually = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (holds()) resolve()
      }
      look()
      void until(ingresses, holds).then(resolve)
    })
  return { api, controller, engine, deltas, events, eventually, stop }
}

const basics = (api: Started['api']): void => {
  api.put(ingressClassKind, fairway)
  api.put(serviceKind, web)
  api.put(endpointSliceKind, slice('10.0.0.1'))
  api.put(ingressKind, shop())
}

describe('the Ingress controller', () => {
  it('has given the engine the whole table when it is started', async () => {
    const { engine, deltas } = await start(basics)
    expect(engine.hosts.get('shop.io')?.paths).toHaveLength(1)
    expect(engine.backends.get('default/web/80')?.endpoints).toEqual([{ address: '10.0.0.1', port: 8080 }])
    expect(deltas).toHaveLength(1)
  })

  it('sends one backend when one endpoint changes', async () => {
    const { api, engine, deltas, eventually } = await start(basics)
    api.put(endpointSliceKind, slice('10.0.0.1', '10.0.0.2'))
    await eventually(() => engine.backends.get('default/web/80')?.endpoints.length === 2)
    const last = deltas.at(-1)
    expect([last?.backends?.size, last?.hosts?.size, last?.tlsHosts?.size]).toEqual([1, 0, 0])
  })

  it('lets go of an Ingress that changes its class', async () => {
    const { api, engine, eventually } = await start(basics)
    const present = await api.client.get(ingressKind, { namespace: 'default', name: 'shop' })
    await api.client.update(ingressKind, { ...present, spec: { ...present.spec, ingressClassName: 'other' } })
    await eventually(() => engine.hosts.size === 0)
    expect(engine.backends.has('default/web/80')).toBe(false)
  })

  it('takes over Ingresses when their class appears', async () => {
    const { api, engine, eventually } = await start((fake) => fake.put(ingressKind, shop()))
    expect(engine.hosts.size).toBe(0)
    api.put(ingressClassKind, fairway)
    await eventually(() => engine.hosts.has('shop.io'))
  })

  it('tells the user what does not work, on the Ingress', async () => {
    const { events, eventually } = await start((api) => {
      basics(api)
      api.put(ingressKind, ingress('broken').className('fairway').host('b.io', { '/': 'gone:80' }).tls('none', 'b.io').build())
    })
    await eventually(() => events.length === 2)
    expect(events.map(({ about, type, reason }) => `${about} ${type} ${reason}`).sort()).toEqual([
      'broken Warning SecretNotFound',
      'broken Warning ServiceNotFound',
    ])
  })

  it('serves a Service that appears later', async () => {
    const { api, engine, eventually } = await start((fake) => {
      fake.put(ingressClassKind, fairway)
      fake.put(ingressKind, shop())
    })
    expect(engine.backends.get('default/web/80')).toEqual({ endpoints: [], unavailable: 'service-not-found' })
    api.put(serviceKind, web)
    api.put(endpointSliceKind, slice('10.0.0.1'))
    await eventually(() => engine.backends.get('default/web/80')?.endpoints.length === 1)
  })

  it('tries again what the engine did not take', async () => {
    const { engine, eventually } = await start(basics, { failures: 1 })
    await eventually(() => engine.hosts.has('shop.io'))
    expect(engine.backends.get('default/web/80')?.endpoints).toHaveLength(1)
  })
})

describe('the settings of a class', () => {
  const settings = (name: string, data: Record<string, string>): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'kube-system', name },
    data,
  })
  const withParameters = (parameters: NonNullable<IngressClass['spec']['parameters']>): IngressClass => ({
    ...fairway,
    spec: { ...fairway.spec, parameters },
  })
  const named = { kind: 'ConfigMap', name: 'class', scope: 'Namespace', namespace: 'kube-system' } as const

  it('are read from the ConfigMap that it names, and from no other', async () => {
    const { api, engine } = await start((fake) => {
      basics(fake)
      fake.put(ingressClassKind, withParameters(named))
      fake.put(configMapKind, settings('class', { 'proxy-body-size': '2m' }))
      fake.put(ingressClassKind, {
        ...withParameters({ ...named, name: 'foreign' }),
        metadata: { name: 'x' },
        spec: { controller: 'x.io/x', parameters: { ...named, name: 'foreign' } },
      })
    })
    expect(engine.hosts.has('shop.io')).toBe(true)
    const read = api.requests.filter(({ resource }) => resource === 'configmaps')
    expect(read.map(({ verb, namespace, query }) => [verb, namespace, query['fieldSelector']])).toEqual([
      ['watch', 'kube-system', 'metadata.name=class'],
    ])
  })

  it('reach the routes of its Ingresses, and follow the ConfigMap', async () => {
    const { api, engine, eventually } = await start((fake) => {
      basics(fake)
      fake.put(ingressClassKind, withParameters(named))
      fake.put(configMapKind, settings('class', { 'proxy-body-size': '2m' }))
    })
    const limit = () => engine.hosts.get('shop.io')?.paths[0]?.target.policy?.maxBodyBytes
    expect(limit()).toBe(2 << 20)
    api.put(configMapKind, settings('class', { 'proxy-body-size': '3m' }))
    await eventually(() => limit() === 3 << 20)
  })

  it('stand above those for all classes', async () => {
    const { engine } = await start(
      (fake) => {
        basics(fake)
        fake.put(ingressClassKind, withParameters(named))
        fake.put(configMapKind, settings('all', { 'proxy-body-size': '9m', 'proxy-read-timeout': '7' }))
        fake.put(configMapKind, settings('class', { 'proxy-body-size': '2m' }))
      },
      { configMap: 'kube-system/all' },
    )
    const policy = engine.hosts.get('shop.io')?.paths[0]?.target.policy
    expect([policy?.maxBodyBytes, policy?.timeouts?.readMs]).toEqual([2 << 20, 7_000])
  })

  it('that cannot be read are told once, on the ConfigMap, and the others hold', async () => {
    const { api, engine, events, eventually } = await start((fake) => {
      basics(fake)
      fake.put(ingressClassKind, withParameters(named))
      fake.put(configMapKind, settings('class', { 'proxy-body-size': 'huge', 'proxy-read-timeout': '7' }))
    })
    api.put(ingressKind, shop('late'))
    await eventually(() => engine.hosts.has('late.io'))
    expect(engine.hosts.get('late.io')?.paths[0]?.target.policy?.timeouts?.readMs).toBe(7_000)
    expect(events.map(({ about, reason, message }) => `${about} ${reason} ${message}`)).toEqual([
      expect.stringMatching(/^class InvalidSettings ConfigMap key proxy-body-size: "huge" is not /),
    ])
  })

  it.each([
    ['another kind', { kind: 'Settings', apiGroup: 'x.io', name: 's' }, 'InvalidParameters'],
    ['a ConfigMap of the cluster', { kind: 'ConfigMap', name: 's' }, 'InvalidParameters'],
    ['a ConfigMap that is not there', named, 'ParametersNotFound'],
  ] as const)('that name %s are told once, on the class, and the class is served', async (_title, parameters, reason) => {
    const { api, engine, events, eventually } = await start((fake) => {
      basics(fake)
      fake.put(ingressClassKind, withParameters(parameters))
    })
    expect(engine.hosts.has('shop.io')).toBe(true)
    api.put(ingressKind, shop('late'))
    await eventually(() => engine.hosts.has('late.io'))
    expect(events.map(({ about, reason: told }) => `${about} ${told}`)).toEqual([`fairway ${reason}`])
  })
})

describe('Secrets', () => {
  const tls = (name: string) => ingress(name).className('fairway').host(`${name}.io`, { '/': 'web:80' }).tls(name, `${name}.io`)

  it('are watched by name when an Ingress of ours refers to them, and no longer than that', async () => {
    const { api, controller } = await start((fake) => {
      basics(fake)
      fake.put(ingressKind, tls('one').build())
      fake.put(ingressKind, tls('foreign').className('other').build())
    })
    const asked = () =>
      api.requests
        .filter(({ resource }) => resource === 'secrets')
        .map(({ verb, namespace, query }) => `${verb} ${namespace} ${query['fieldSelector']}`)
    expect(asked()).toEqual(['watch default metadata.name=one'])
    const before = api.openWatches
    api.remove(ingressKind, { namespace: 'default', name: 'one' })
    await expect.poll(() => api.openWatches).toBe(before - 1)
    await controller.settled()
    expect(asked()).toHaveLength(1)
  })

  it('that may not be read harm only their hosts', async () => {
    const { engine, events } = await start((fake) => {
      basics(fake)
      fake.put(ingressKind, tls('closed').build())
      fake.intercept = ({ resource }) => {
        if (resource === 'secrets') throw new ApiError({ code: 403, reason: 'Forbidden', message: 'no' })
      }
    })
    expect([...engine.hosts.keys()].sort()).toEqual(['closed.io', 'shop.io'])
    expect(events.map(({ about, reason }) => `${about} ${reason}`)).toEqual(['closed SecretForbidden'])
  })

  it('that are not answered for in time keep no other host waiting', async () => {
    const clock = pausedClock()
    let isStarted = false
    const starting = start(
      (fake) => {
        basics(fake)
        fake.put(ingressKind, tls('silent').build())
        fake.intercept = async ({ resource, signal }) => {
          if (resource === 'secrets') await aborted(signal ?? new AbortController().signal)
        }
      },
      { clock },
    ).then((started) => {
      isStarted = true
      return started
    })
    const advanced = async (): Promise<boolean> => {
      await clock.advance(1_000)
      return isStarted
    }
    await expect.poll(advanced).toBe(true)
    expect([...(await starting).engine.hosts.keys()].sort()).toEqual(['shop.io', 'silent.io'])
  })

  it('one may be the default of all hosts', async () => {
    const { api } = await start(basics, { defaultCertificate: 'certs/all' })
    const [asked] = api.requests.filter(({ resource }) => resource === 'secrets')
    expect([asked?.namespace, asked?.query['fieldSelector']]).toEqual(['certs', 'metadata.name=all'])
  })
})

describe('explain', () => {
  it('names the rule, the Service, the endpoints, and what lost and why', async () => {
    const { controller } = await start((api) => {
      basics(api)
      api.put(ingressKind, ingress('long').className('fairway').host('shop.io', { '/api': 'web:80', '/other': 'web:80' }).build())
      api.put(
        ingressKind,
        ingress('late').created('2026-02-01T00:00:00Z').className('fairway').host('shop.io', { '/api': 'web:80' }).build(),
      )
      api.put(ingressKind, ingress('wild').className('fairway').host('*.io', { '/': 'web:80' }).build())
      api.put(ingressKind, ingress('foreign').className('other').host('shop.io', { '/api/x': 'web:80' }).build())
    })
    const explanation = controller.explain('http://shop.io/x/../api/y?q')
    expect(explanation).toMatchObject({
      host: 'shop.io',
      path: '/api/y',
      chosen: { host: 'shop.io', match: 'prefix', path: '/api', ingress: 'default/long', service: 'default/web' },
      backend: { endpoints: [{ address: '10.0.0.1', port: 8080 }] },
      answer: undefined,
    })
    expect(explanation?.lost.map(({ ingress: name, path, why }) => `${name} ${path} ${why}`).sort()).toEqual([
      'default/foreign  there is no IngressClass "other"',
      'default/late /api Ingress default/long is older or has it first',
      'default/long /other the path does not match',
      'default/shop / a longer path, or an exact one of the same length, matches',
      'default/wild / a more specific host has rules',
    ])
  })

  it.each([
    ['http://nowhere.example/', { status: 404, reason: 'no-route' }],
    ['shop.io/gone', { status: 503, reason: 'service-not-found' }],
  ])('says what the engine answers to %s', async (url, answer) => {
    const { controller } = await start((api) => {
      basics(api)
      api.put(ingressKind, ingress('b').className('fairway').host('shop.io', { '/gone': 'gone:80' }).build())
    })
    expect(controller.explain(url)?.answer).toEqual(answer)
    expect(controller.explain('http://bad host/')).toBeUndefined()
  })

  it('names the annotations that act on a request, those that do not, and why', async () => {
    const annotations = {
      'nginx.ingress.kubernetes.io/limit-rps': '5',
      'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
      'nginx.ingress.kubernetes.io/proxy-body-size': 'huge',
      'nginx.ingress.kubernetes.io/permanent-redirect': 'https://b.io',
      'nginx.ingress.kubernetes.io/ssl-redirct': 'true',
      'example.com/other': 'x',
    }
    const { controller, events } = await start((api) => {
      basics(api)
      api.put(
        ingressKind,
        ingress('w').className('fairway').host('noted.io', { '/': 'web:80' }).metadata({ annotations }).build(),
      )
    })
    const explanation = controller.explain('http://noted.io/')
    expect(explanation?.annotations.map(({ name, state }) => `${name.replace(/^.*\//, '')} ${state}`)).toEqual([
      'limit-rps acts-otherwise',
      'proxy-buffering no-effect',
      'proxy-body-size invalid',
      'permanent-redirect acts',
      'ssl-redirct unknown',
    ])
    expect(explanation?.answer).toEqual({ status: 301, reason: 'redirect' })
    expect(events.map(({ reason }) => reason).sort()).toEqual(['AnnotationInvalid', 'AnnotationUnknown'])
  })

  it('says which canary takes a request, or what share of them', async () => {
    const canary = (name: string, more: Readonly<Record<string, string>>) =>
      ingress(name)
        .created('2026-02-01T00:00:00Z')
        .className('fairway')
        .host('shop.io', { '/': 'web:80' })
        .metadata({
          annotations: Object.fromEntries(
            Object.entries({ canary: 'true', ...more }).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
          ),
        })
        .build()
    const { controller } = await start((api) => {
      basics(api)
      api.put(ingressKind, ingress('main').className('fairway').host('shop.io', { '/': 'web:80' }).build())
      api.put(ingressKind, canary('next', { 'canary-by-header': 'X-Next', 'canary-weight': '20' }))
    })
    const takes = (...headers: readonly string[]) =>
      controller.explain('http://shop.io/', headers)?.canaries.map((one) => [one.ingress, one.takes])
    expect(takes()).toEqual([['default/next', 0.2]])
    expect(takes('x-next:always')).toEqual([['default/next', 'this-request']])
    expect(takes('X-Next: never')).toEqual([['default/next', 0]])
  })

  it('follows the Secrets and ConfigMaps that annotations refer to', async () => {
    const annotations = {
      'nginx.ingress.kubernetes.io/auth-type': 'basic',
      'nginx.ingress.kubernetes.io/auth-secret': 'users',
      'nginx.ingress.kubernetes.io/custom-headers': 'default/headers',
    }
    const metadata = (name: string) => ({ name, namespace: 'default' })
    const users = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('users'),
      data: { auth: Buffer.from(`${name}:$2y$05$abcdefghijklmnopqrstuv`).toString('base64') },
    })
    const headers: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('headers'), data: { 'X-A': '1' } }
    const { api, engine, eventually } = await start((fake) => {
      basics(fake)
      fake.put(
        ingressKind,
        ingress('w').className('fairway').host('noted.io', { '/': 'web:80' }).metadata({ annotations }).build(),
      )
      fake.put(secretKind, users('ann'))
    })
    const policy = () => engine.hosts.get('noted.io')?.paths[0]?.target.policy
    expect([...(policy()?.basicAuth?.users.keys() ?? [])]).toEqual(['ann'])
    api.put(secretKind, users('bob'))
    await eventually(() => policy()?.basicAuth?.users.has('bob') === true)
    api.put(configMapKind, headers)
    await eventually(() => policy()?.responseFields?.set?.[0]?.[0] === 'x-a')
  })
})
