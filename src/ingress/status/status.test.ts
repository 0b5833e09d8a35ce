import { setMaxListeners } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { type Ingress, ingressClassKind, ingressKind, type Service, serviceKind } from '../../api/index.ts'
import { ingress, service } from '../../api/testing/index.ts'
import { type Running, silentLogger } from '../../base/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import type { Leadership } from '../../client/index.ts'
import { type FakeApi, fakeApi } from '../../client/testing/index.ts'
import { createInformer, createReferencedInformer } from '../../informers/index.ts'
import { CONTROLLER_NAME } from '../routes/index.ts'
import { entriesOfService, type StatusEntries } from './desired.ts'
import { type Published, publishEntries, publishService } from './published.ts'
import { createIngressStatus } from './status.ts'

const ADDRESS = { ip: '192.0.2.80' }
const OTHERS = { ip: '198.51.100.9' }
const classOf = (name: string, controller: string) => ({
  apiVersion: 'networking.k8s.io/v1' as const,
  kind: 'IngressClass' as const,
  metadata: { name },
  spec: { controller },
})
const ours = (name = 'shop') => ingress(name).className('fairway').host('a.io', { '/': 'web:80' }).build()
const foreign = (name = 'foreign') => ingress(name).className('other').host('b.io', { '/': 'web:80' }).build()

/** Leads as the test says. */
const leader = (isLeader: boolean): Leadership & { set(isLeader: boolean): void } => {
  const handlers = new Set<(isLeader: boolean) => void>()
  let now = isLeader
  return {
    get isLeader() {
      return now
    },
    holder: undefined,
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
    set(next) {
      now = next
      for (const handler of handlers) handler(next)
    },
  }
}

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

const world = (...objects: readonly Ingress[]): FakeApi => {
  const api = fakeApi()
  api.put(ingressClassKind, classOf('fairway', CONTROLLER_NAME))
  api.put(ingressClassKind, classOf('other', 'example.com/other'))
  for (const object of objects) api.put(ingressKind, object)
  return api
}

interface Options {
  readonly leadership?: Leadership
  readonly published?: (api: FakeApi, abort: AbortSignal) => Promise<Published>
  readonly clearOnStop?: () => boolean
}

/** One replica. */
const start = async (api: FakeApi, { leadership = leader(true), published, clearOnStop }: Options = {}) => {
  const clock = pausedClock()
  const abort = new AbortController()
  setMaxListeners(0, abort.signal)
  const deps = { client: api.client, clock, log: silentLogger }
  const ingresses = createInformer({ ...deps, kind: ingressKind })
  const ingressClasses = createInformer({ ...deps, kind: ingressClassKind })
  const component = createIngressStatus({
    ...deps,
    ingresses,
    ingressClasses,
    classes: { controllerName: CONTROLLER_NAME, watchedClasses: [] },
    published: (await published?.(api, abort.signal)) ?? publishEntries([ADDRESS]),
    leadership,
    ...(clearOnStop === undefined ? {} : { clearOnStop }),
  })
  const running: Running[] = await Promise.all([ingresses, ingressClasses].map((informer) => informer.start(abort.signal)))
  running.unshift(await component.start(abort.signal))
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await clock.advance(0)
  }
  await settle()
  const stop = async (): Promise<void> => {
    abort.abort()
    await Promise.all(running.map(({ stopped }) => stopped))
  }
  stops.push(stop)
  return { clock, settle, stop }
}

const statusOf = (api: FakeApi, name = 'shop'): StatusEntries | undefined =>
  api.objects<Ingress>(ingressKind).find(({ metadata }) => metadata.name === name)?.status?.loadBalancer?.ingress
const writes = (api: FakeApi): number => api.requests.filter(({ verb }) => verb === 'patch').length
const change = (api: FakeApi, name: string, edit: (object: Ingress) => Ingress): void => {
  const present = api.objects<Ingress>(ingressKind).find(({ metadata }) => metadata.name === name)
  if (present === undefined) throw new Error(`no Ingress ${name}`)
  const { resourceVersion: _, ...metadata } = present.metadata
  api.put(ingressKind, edit({ ...present, metadata }))
}
const toClass = (ingressClassName: string) => (object: Ingress) => ({ ...object, spec: { ...object.spec, ingressClassName } })
const withEntries = (entries: StatusEntries) => (object: Ingress) => ({
  ...object,
  status: { loadBalancer: { ingress: entries } },
})

describe('the status of Ingresses', () => {
  it('is written for ours and never for those of a foreign class', async () => {
    const api = world(ours(), foreign())
    await start(api)
    expect([statusOf(api), statusOf(api, 'foreign')]).toEqual([[ADDRESS], undefined])
  })

  it('is not written again when nothing changed', async () => {
    const api = world(ours())
    const { settle } = await start(api)
    change(api, 'shop', (object) => ({ ...object, spec: { ...object.spec, rules: [] } }))
    await settle()
    expect(writes(api)).toBe(1)
    const next = await start(api)
    await next.settle()
    expect(writes(api)).toBe(1)
  })

  it('is repaired when somebody changes it', async () => {
    const api = world(ours())
    const { settle } = await start(api)
    change(api, 'shop', withEntries([OTHERS]))
    await settle()
    expect(statusOf(api)).toEqual([ADDRESS])
  })

  it('goes when the class is another', async () => {
    const api = world(ours())
    const { settle } = await start(api)
    change(api, 'shop', toClass('other'))
    await settle()
    expect(statusOf(api)).toBeUndefined()
  })

  it('stays when the class is another and the new owner has written its own', async () => {
    const api = world(ours())
    const { settle } = await start(api)
    change(api, 'shop', (object) => withEntries([OTHERS])(toClass('other')(object)))
    await settle()
    expect(statusOf(api)).toEqual([OTHERS])
    expect(writes(api)).toBe(1)
  })

  it('goes when the class becomes another controller’s, and comes back with it', async () => {
    const api = world(ours())
    const { settle } = await start(api)
    api.put(ingressClassKind, classOf('fairway', 'example.com/other'))
    await settle()
    expect(statusOf(api)).toBeUndefined()
    api.put(ingressClassKind, classOf('fairway', CONTROLLER_NAME))
    await settle()
    expect(statusOf(api)).toEqual([ADDRESS])
  })

  it('is tried again after a conflict', async () => {
    const api = world(ours())
    let conflicts = 0
    api.intercept = ({ verb }) => {
      if (verb !== 'patch' || conflicts++ > 0) return
      change(api, 'shop', (object) => ({ ...object, spec: { ...object.spec, rules: [] } }))
    }
    const { clock, settle } = await start(api)
    await clock.advance(1_000)
    await settle()
    expect(statusOf(api)).toEqual([ADDRESS])
    expect(conflicts).toBe(2)
  })
})

describe('of several replicas', () => {
  it('only the leader writes, and the next one takes over', async () => {
    const api = world(ours())
    const second = leader(false)
    const { settle } = await start(api, { leadership: second })
    expect(writes(api)).toBe(0)
    second.set(true)
    await settle()
    expect(statusOf(api)).toEqual([ADDRESS])
  })

  it('the next leader takes out what the last one left on an Ingress that is no longer ours', async () => {
    const api = world(withEntries([ADDRESS])(ours()))
    const second = leader(false)
    const { settle } = await start(api, { leadership: second })
    change(api, 'shop', toClass('other'))
    await settle()
    expect(statusOf(api)).toEqual([ADDRESS])
    second.set(true)
    await settle()
    expect(statusOf(api)).toBeUndefined()
  })

  it('a follower that stops clears nothing', async () => {
    const api = world(withEntries([ADDRESS])(ours()))
    const { stop } = await start(api, { leadership: leader(false) })
    await stop()
    expect(statusOf(api)).toEqual([ADDRESS])
  })
})

describe('at the stop of the leader', () => {
  it.each([
    ['its addresses go', undefined, undefined],
    ['its addresses stay when asked for', () => false, [ADDRESS]],
  ] as const)('%s', async (_title, clearOnStop, expected) => {
    const api = world(ours(), withEntries([OTHERS])(foreign()))
    const { stop } = await start(api, clearOnStop === undefined ? {} : { clearOnStop })
    expect(statusOf(api)).toEqual([ADDRESS])
    await stop()
    expect([statusOf(api), statusOf(api, 'foreign')]).toEqual([expected, [OTHERS]])
  })

  it('one Ingress that cannot be written keeps no other', async () => {
    const api = world(ours('a'), ours('b'))
    const { stop } = await start(api)
    api.intercept = ({ verb, name }) => {
      if (verb === 'patch' && name === 'a') throw new Error('no')
    }
    await stop()
    expect([statusOf(api, 'a'), statusOf(api, 'b')]).toEqual([[ADDRESS], undefined])
  })
})

describe('a published Service', () => {
  const balanced = (...entries: StatusEntries): Service => ({
    ...service('front').build(),
    spec: { type: 'LoadBalancer', ports: [] },
    status: { loadBalancer: { ingress: entries } },
  })
  const follow: Options['published'] = async (api, signal) => {
    const services = createReferencedInformer({ client: api.client, kind: serviceKind, clock: pausedClock(), log: silentLogger })
    services.follow(['default/front'])
    const { stopped } = await services.start(signal)
    stops.push(() => stopped)
    return publishService(services, 'default/front')
  }

  it('is followed; while it is not there no status is touched, when it is deleted ours are emptied', async () => {
    const api = world(withEntries([OTHERS])(ours()))
    const { settle } = await start(api, { published: follow })
    expect(statusOf(api)).toEqual([OTHERS])
    api.put(serviceKind, balanced(ADDRESS))
    await settle()
    expect(statusOf(api)).toEqual([ADDRESS])
    api.put(serviceKind, balanced({ hostname: 'lb.example', ports: [{ port: 8443, protocol: 'TCP' }] }))
    await settle()
    expect(statusOf(api)).toEqual([{ hostname: 'lb.example', ports: [{ port: 8443, protocol: 'TCP' }] }])
    api.remove(serviceKind, { namespace: 'default', name: 'front' })
    await settle()
    expect(statusOf(api)).toBeUndefined()
  })

  it.each([
    ['an ExternalName', { type: 'ExternalName', externalName: 'x.example' }, [], [{ hostname: 'x.example' }]],
    [
      'a ClusterIP',
      { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9', 'fd00::9'] },
      [],
      [{ ip: '10.96.0.9' }, { ip: 'fd00::9' }],
    ],
    ['a headless one', { clusterIP: 'None', clusterIPs: ['None'] }, [], []],
    [
      'a NodePort with external addresses',
      { type: 'NodePort', clusterIP: '10.96.0.9', externalIPs: ['192.0.2.1'] },
      [],
      [{ ip: '192.0.2.1' }],
    ],
    ['a load balancer without an address', { type: 'LoadBalancer', clusterIP: '10.96.0.9' }, [], []],
    [
      'a load balancer with external addresses',
      { type: 'LoadBalancer', externalIPs: ['192.0.2.1', '192.0.2.80'] },
      [ADDRESS, { hostname: 'lb' }],
      [ADDRESS, { hostname: 'lb' }, { ip: '192.0.2.1' }],
    ],
  ] as const)('says where it is reached: %s', (_title, spec, entries, expected) => {
    const object = { ...service('front').build(), spec, status: { loadBalancer: { ingress: entries } } }
    expect(entriesOfService(object)).toEqual(expected)
  })
})
