import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeKind, type Service, serviceKind } from '../api/index.ts'
import type { Leadership } from '../client/index.ts'
import { LoadBalancerError } from './errors.ts'
import { CLEANUP_FINALIZER, PLACEMENT_ANNOTATION, placementOf } from './placement.ts'
import { type FakeCloud, fakeCloud, SHARE_ANNOTATION } from './testing/fake-cloud.ts'
import { type ControllerRig, controllerRig } from './testing/rig.ts'
import { testService } from './testing/services.ts'

let rig: ControllerRig
let cloud: FakeCloud

beforeEach(() => {
  rig = controllerRig()
  cloud = fakeCloud()
})
afterEach(() => rig.stop())

const settled = async (ms = 2_000): Promise<void> => {
  for (let passed = 0; passed < ms; passed += 200) await rig.clock.advance(200)
}
const node = (name: string, labels: Readonly<Record<string, string>> = {}) =>
  rig.api.put(nodeKind, { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name, labels }, spec: {}, status: {} })
const readyOf = (service: Service) => service.status?.conditions?.find(({ type }) => type.endsWith('/Ready'))

describe('a Service of type LoadBalancer', () => {
  it('gets finalizer and token before the first call, and its address after it', async () => {
    let before: Service | undefined
    cloud.fault = (effect, when) => {
      if (effect === 'create' && when === 'before') before = rig.get('web')
    }
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled()
    expect(before?.metadata.finalizers).toEqual([CLEANUP_FINALIZER])
    expect(before && placementOf(before)?.token).toBe([...cloud.balancers.values()][0]?.token)
    expect(rig.get('web').status?.loadBalancer?.ingress).toEqual([{ ip: '203.0.113.1', ipMode: 'VIP' }])
    expect(readyOf(rig.get('web'))).toMatchObject({ status: 'True', reason: 'Ensured' })
    expect(rig.events()).toEqual(['EnsuringLoadBalancer', 'UnAvailableLoadBalancer', 'EnsuredLoadBalancer'])
    expect(rig.writes()).toEqual(['patch services', 'patch services status'])
  })

  it('is not written to, and no Event is told, over a day of full looks and a restart', async () => {
    node('n1')
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled()
    rig.writes()
    const [events, effects] = [rig.events().length, cloud.effects]
    for (let hour = 0; hour < 24; hour++) await rig.clock.advance(3_600_000)
    expect(cloud.calls.length).toBeGreaterThan(100)
    await rig.start(cloud.provider())
    await settled()
    expect(rig.writes()).toEqual([])
    expect(rig.events()).toHaveLength(events)
    expect(cloud.effects).toBe(effects)
  })

  it('is let go only when all is taken away', async () => {
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider({ drainMs: 30_000 }))
    await settled()
    await rig.delete('web')
    await settled(20_000)
    expect(rig.get('web').metadata.finalizers).toEqual([CLEANUP_FINALIZER])
    await settled(20_000)
    expect(rig.api.objects(serviceKind)).toEqual([])
    expect(cloud.balancers.size).toBe(0)
    expect(rig.events().slice(-2)).toEqual(['DeletingLoadBalancer', 'DeletedLoadBalancer'])
  })

  it('that becomes a ClusterIP loses its load balancer, its status and the finalizer, and gets a new life later', async () => {
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled()
    const first = placementOf(rig.get('web'))?.token
    rig.change('web', (service) => ({ ...service, spec: { ...service.spec, type: 'ClusterIP' } }))
    await settled()
    const { metadata, status } = rig.get('web')
    expect(metadata.finalizers ?? []).toEqual([])
    expect(metadata.annotations?.[PLACEMENT_ANNOTATION]).toBeUndefined()
    expect(status?.loadBalancer?.ingress ?? []).toEqual([])
    expect(status?.conditions).toEqual([])
    expect(cloud.balancers.size).toBe(0)
    rig.change('web', (service) => ({ ...service, spec: { ...service.spec, type: 'LoadBalancer' } }))
    await settled()
    expect(placementOf(rig.get('web'))?.token).not.toBe(first)
    expect(cloud.balancers.size).toBe(1)
  })

  it('of another class is left alone', async () => {
    const service = testService('web', [80])
    rig.put({ ...service, spec: { ...service.spec, loadBalancerClass: 'example.com/other' } })
    await rig.start(cloud.provider())
    await settled()
    expect(rig.writes()).toEqual([])
    expect(cloud.calls).toEqual([])
  })

  it('that goes to another load balancer leaves the first before it enters the second', async () => {
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled()
    rig.change('web', (service) => ({
      ...service,
      metadata: { ...service.metadata, annotations: { ...service.metadata.annotations, [SHARE_ANNOTATION]: 's' } },
    }))
    await settled()
    expect([...cloud.balancers.values()].map(({ key }) => key)).toEqual(['share:s'])
    expect(placementOf(rig.get('web'))?.key).toBe('share:s')
    expect(rig.get('web').metadata.finalizers).toEqual([CLEANUP_FINALIZER])
    expect(rig.get('web').status?.loadBalancer?.ingress?.[0]?.ip).toBe('203.0.113.2')
  })

  it('whose status others wrote gets it back', async () => {
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled()
    rig.change('web', (service) => ({ ...service, status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } } }))
    await settled()
    expect(rig.get('web').status?.loadBalancer?.ingress?.[0]?.ip).toBe('203.0.113.1')
  })

  it('whose placement was taken away while it is deleted is still cleaned up', async () => {
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled()
    rig.kill()
    rig.change('web', (service) => ({ ...service, metadata: { ...service.metadata, annotations: {} } }))
    await rig.delete('web')
    await rig.start(cloud.provider())
    await settled()
    expect(cloud.balancers.size).toBe(0)
    expect(rig.api.objects(serviceKind)).toEqual([])
  })
})

describe('Services that share a load balancer', () => {
  const shared = { [SHARE_ANNOTATION]: 's' }

  it('have one token and one load balancer; the loser of a port is told once and recovers', async () => {
    rig.put(testService('a', [80], shared))
    rig.put(testService('b', [80, 81], shared))
    await rig.start(cloud.provider())
    await settled()
    expect(cloud.balancers.size).toBe(1)
    expect(placementOf(rig.get('a'))).toEqual(placementOf(rig.get('b')))
    expect(readyOf(rig.get('b'))).toMatchObject({ status: 'False', reason: 'PortConflict' })
    await rig.clock.advance(3_600_000)
    expect(rig.events().filter((reason) => reason === 'PortConflict')).toHaveLength(1)
    await rig.delete('a')
    await settled()
    expect(readyOf(rig.get('b'))).toMatchObject({ status: 'True' })
    expect([...(cloud.balancers.get('lb-1')?.listeners ?? [])]).toEqual([
      ['TCP 80', 'uid-b'],
      ['TCP 81', 'uid-b'],
    ])
  })
})

describe('failures', () => {
  it('are tried again after 5 s, 10 s, ... up to 300 s, and told with the reason', async () => {
    const at: number[] = []
    cloud.fault = (effect, when) => {
      if (effect !== 'create' || when === 'after') return
      at.push(rig.clock.monotonic())
      throw new LoadBalancerError('unavailable', 'the cloud has a bad day')
    }
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider(), { random: () => 0.5 })
    for (let minute = 0; minute < 30; minute++) await rig.clock.advance(60_000)
    const gaps = at.slice(1).map((time, index) => Math.round((time - (at[index] ?? 0)) / 1_000))
    const expected = [5, 10, 20, 40, 80, 160, 300, 300]
    for (const [index, seconds] of expected.entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(seconds * 0.89)
      expect(gaps[index]).toBeLessThanOrEqual(seconds * 1.11 + 1)
    }
    expect(readyOf(rig.get('web'))).toMatchObject({
      status: 'False',
      reason: 'SyncLoadBalancerFailed',
      message: 'the cloud has a bad day',
    })
    expect(rig.events()).toContain('SyncLoadBalancerFailed')
    cloud.fault = undefined
    await rig.clock.advance(400_000)
    expect(readyOf(rig.get('web'))).toMatchObject({ status: 'True' })
  })

  it('that say when to come again are tried then', async () => {
    const at: number[] = []
    cloud.fault = (effect, when) => {
      if (effect !== 'create' || when === 'after') return
      at.push(rig.clock.monotonic())
      if (at.length === 1) throw new LoadBalancerError('retry-after', 'a task runs', { retryAfterMs: 42_000 })
    }
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled(60_000)
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBe(42_000)
  })

  it('that the user must mend are not tried again before 300 s, but at once when the Service changes', async () => {
    rig.put(testService('web', [80], { 'fake/refuse': '' }))
    await rig.start(cloud.provider())
    await settled(200_000)
    expect(cloud.calls).toHaveLength(1)
    expect(readyOf(rig.get('web'))).toMatchObject({ reason: 'Refused' })
    rig.change('web', (service) => ({ ...service, metadata: { ...service.metadata, annotations: placementOnly(service) } }))
    await settled()
    expect(readyOf(rig.get('web'))).toMatchObject({ status: 'True' })
  })

  const placementOnly = ({ metadata }: Service) => ({
    [PLACEMENT_ANNOTATION]: metadata.annotations?.[PLACEMENT_ANNOTATION] ?? '',
  })

  it('of one load balancer keep no other from going on', async () => {
    rig.put(testService('bad', [80], { 'fake/refuse': '' }))
    rig.put(testService('good', [80]))
    await rig.start(cloud.provider())
    await settled()
    expect(readyOf(rig.get('good'))).toMatchObject({ status: 'True' })
  })

  it('a refused claim makes nothing, and harms nothing that was made', async () => {
    rig.put(testService('new', [80], { [SHARE_ANNOTATION]: 'wrong' }))
    rig.put(testService('old', [80]))
    await rig.start(cloud.provider())
    await settled()
    rig.change('old', (service) => ({
      ...service,
      metadata: { ...service.metadata, annotations: { ...service.metadata.annotations, [SHARE_ANNOTATION]: 'wrong' } },
    }))
    await settled()
    expect([...cloud.balancers.values()].map(({ key }) => key)).toEqual(['default/old'])
    expect(rig.get('old').status?.loadBalancer?.ingress?.[0]?.ip).toBe('203.0.113.1')
    for (const name of ['old', 'new']) {
      expect(readyOf(rig.get(name))).toMatchObject({ status: 'False', reason: 'WrongAnnotation' })
    }
    expect(rig.events().filter((reason) => reason === 'WrongAnnotation')).toHaveLength(2)
    rig.change('new', (service) => ({ ...service, metadata: { ...service.metadata, annotations: {} } }))
    await settled()
    expect(readyOf(rig.get('new'))).toMatchObject({ status: 'True' })
  })

  it('what is gone gets a new token, once', async () => {
    rig.put(testService('web', [80]))
    let gone = 0
    const inner = cloud.provider()
    await rig.start({
      ...inner,
      ensure: async (desired, call) => {
        if (gone++ === 0) throw new LoadBalancerError('gone', 'lb-1 is gone')
        return inner.ensure(desired, call)
      },
    })
    await settled()
    expect([...cloud.balancers.values()].map(({ token }) => token)).toEqual([placementOf(rig.get('web'))?.token])
    expect(readyOf(rig.get('web'))).toMatchObject({ status: 'True' })
  })
})

describe('a process that is killed', () => {
  const deaths = ['before', 'after'] as const

  it.each(deaths)('%s any request or effect converges after its restart, with one load balancer', async (when) => {
    for (let nth = 1; ; nth++) {
      rig = controllerRig()
      cloud = fakeCloud()
      let left = nth
      const step = (): void => {
        if (--left > 0) return
        cloud.fault = undefined
        rig.api.intercept = undefined
        rig.kill()
        throw new Error('killed')
      }
      const arm = (): void => {
        cloud.fault = (_, moment) => {
          if (moment === when) step()
        }
        // A request that arrives counts, whether its answer does or not: the next one of the dead process does not.
        rig.api.intercept = ({ verb, resource }) => {
          if (resource === 'services' && verb === 'patch') step()
        }
      }
      rig.put(testService('web', [80, 81]))
      arm()
      await rig.start(cloud.provider())
      await settled()
      const diedAtCreate = left <= 0
      if (diedAtCreate) {
        await rig.start(cloud.provider())
        await settled(8_000)
      }
      expect([...cloud.balancers.values()].map(({ listeners }) => [...listeners.keys()])).toEqual([['TCP 80', 'TCP 81']])
      expect(rig.get('web').status?.loadBalancer?.ingress).toHaveLength(1)
      await rig.delete('web')
      await settled()
      if (left <= 0 && !diedAtCreate) {
        await rig.start(cloud.provider())
        await settled(8_000)
      }
      expect(cloud.balancers.size).toBe(0)
      expect(rig.api.objects(serviceKind)).toEqual([])
      const isThrough = left > 0
      await rig.stop()
      if (isThrough) {
        expect(nth).toBeGreaterThan(7)
        return
      }
    }
  })

  it('whose answer to the create was lost finds it again', async () => {
    let isLost = false
    cloud.fault = (effect, when) => {
      if (effect !== 'create' || when === 'before' || isLost) return
      isLost = true
      throw new LoadBalancerError('unavailable', 'no answer')
    }
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled(10_000)
    expect(isLost).toBe(true)
    expect(cloud.balancers.size).toBe(1)
    expect(readyOf(rig.get('web'))).toMatchObject({ status: 'True' })
  })
})

describe('leadership', () => {
  it('nothing is done without it, and no more after it is lost', async () => {
    const handlers = new Set<(isLeader: boolean) => void>()
    const leadership = {
      isLeader: false,
      holder: 'other',
      onChange(handler: (isLeader: boolean) => void) {
        handlers.add(handler)
        return () => void handlers.delete(handler)
      },
    }
    const turn = (isLeader: boolean): void => {
      leadership.isLeader = isLeader
      for (const handler of [...handlers]) handler(isLeader)
    }
    rig.put(testService('a', [80]))
    await rig.start(cloud.provider(), { leadership: leadership as Leadership })
    await settled()
    expect(rig.writes()).toEqual([])
    turn(true)
    await settled()
    expect(cloud.balancers.size).toBe(1)
    turn(false)
    rig.put(testService('b', [80]))
    await settled()
    expect(cloud.balancers.size).toBe(1)
    turn(true)
    await settled()
    expect(cloud.balancers.size).toBe(2)
  })
})

describe('a new leader', () => {
  it('looks slowly at what is in order, and at once at what changes', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `web-${index}`)
    for (const each of names) rig.put(testService(each, [80]))
    await rig.start(cloud.provider())
    await settled()
    expect(cloud.balancers.size).toBe(100)
    const before = cloud.calls.length
    await rig.start(cloud.provider())
    await rig.clock.advance(1_000)
    expect(cloud.calls.length - before).toBeLessThanOrEqual(21)
    rig.change('web-99', (service) => ({ ...service, spec: { ...service.spec, ports: testService('x', [81]).spec.ports } }))
    await rig.clock.advance(20)
    expect(cloud.calls.at(-1)).toBe('ensure default/web-99')
    await rig.clock.advance(5_000)
    expect(cloud.calls.length - before).toBe(100)
  })
})

describe('nodes', () => {
  it('concern load balancers when they may be targets', async () => {
    node('n1')
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider())
    await settled()
    const calls = cloud.calls.length
    node('excluded', { 'node.kubernetes.io/exclude-from-external-load-balancers': 'false' })
    await settled()
    expect(cloud.calls).toHaveLength(calls)
    node('n2')
    await settled()
    expect(cloud.calls).toHaveLength(calls + 1)
    expect(rig.events().at(-1)).toBe('UpdatedLoadBalancer')
    rig.api.put(nodeKind, {
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2', uid: 'n2' }, spec: {} },
      status: { conditions: [{ type: 'MemoryPressure', status: 'False', lastHeartbeatTime: '2026-01-01T00:00:00Z' }] },
    })
    await settled()
    expect(cloud.calls).toHaveLength(calls + 1)
  })
})

describe('orphans', () => {
  const orphan = { id: 'lb-x', key: 'default/gone', token: 't', address: '203.0.113.99', listeners: new Map<string, string>() }

  it.each([
    { prune: false, left: 2 },
    { prune: true, left: 1 },
  ])('are taken away only when asked for (prune $prune), after two looks', async ({ prune, left }) => {
    cloud.balancers.set('lb-x', orphan)
    rig.put(testService('web', [80]))
    await rig.start(cloud.provider(), { prune })
    await rig.clock.advance(3_600_000)
    expect(cloud.balancers.size).toBe(2)
    await rig.clock.advance(3_600_000)
    expect(cloud.balancers.size).toBe(left)
    expect([...cloud.balancers.values()].map(({ key }) => key)).toContain('default/web')
  })
})
