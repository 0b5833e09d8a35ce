import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Service, serviceKind } from '../api/index.ts'
import { LoadBalancerError } from './errors.ts'
import { CLEANUP_FINALIZER } from './placement.ts'
import { type FakeCloud, fakeCloud, SHARE_ANNOTATION } from './testing/fake-cloud.ts'
import { type ControllerRig, controllerRig } from './testing/rig.ts'
import { testService } from './testing/services.ts'

const NAMES = ['a', 'b', 'c', 'd']
const ports = fc.uniqueArray(fc.constantFrom(80, 81, 82), { minLength: 1, maxLength: 3 })

type Step =
  | {
      readonly act: 'set'
      readonly name: string
      readonly ports: readonly number[]
      readonly share: string | undefined
      readonly type: string
    }
  | { readonly act: 'delete' | 'hand edit'; readonly name: string }
  | {
      readonly act: 'fail'
      readonly nth: number
      readonly when: 'before' | 'after'
      readonly failure: 'unavailable' | 'retry-after' | 'quota'
    }
  | { readonly act: 'kill'; readonly nth: number }
  | { readonly act: 'wait'; readonly ms: number }

const name = fc.constantFrom(...NAMES)
const nth = fc.integer({ min: 1, max: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('set' as const),
      name,
      ports,
      share: fc.constantFrom(undefined, undefined, 's', 't'),
      type: fc.constantFrom('LoadBalancer', 'LoadBalancer', 'ClusterIP'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('delete' as const, 'hand edit' as const), name }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('fail' as const),
      nth,
      when: fc.constantFrom('before' as const, 'after' as const),
      failure: fc.constantFrom('unavailable' as const, 'retry-after' as const, 'quota' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('kill' as const), nth }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.constantFrom(0, 300, 10_000) }) },
)

it('after any history of Services, failures, deaths and hand edits the cloud becomes what is wanted, with nothing left over', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const world = { rig: controllerRig(), cloud: fakeCloud() }
      await world.rig.start(world.cloud.provider())
      for (const each of steps) await act(world, each)
      world.cloud.fault = undefined
      world.rig.api.intercept = undefined
      // The slowest retry, and a full look after it.
      for (let minute = 0; minute < 20; minute++) await world.rig.clock.advance(60_000)
      check(world)
      world.rig.writes()
      await world.rig.clock.advance(3_600_000)
      expect(world.rig.writes()).toEqual([])
      await world.rig.stop()
    }),
    { numRuns: 150 },
  )
})

interface World {
  readonly rig: ControllerRig
  readonly cloud: FakeCloud
}

const find = ({ rig }: World, wanted: string): Service | undefined =>
  rig.api.objects(serviceKind).find(({ metadata }) => metadata.name === wanted)

const act = async (world: World, each: Step): Promise<void> => {
  const { rig, cloud } = world
  switch (each.act) {
    case 'set':
      set(world, each)
      return
    case 'delete':
      if (find(world, each.name) !== undefined) await rig.delete(each.name)
      return
    case 'hand edit': {
      const [balancer] = [...cloud.balancers.values()].filter(({ key }) => key.endsWith(each.name))
      balancer?.listeners.clear()
      return
    }
    case 'fail': {
      let left = each.nth
      cloud.fault = (_, when) => {
        if (when === each.when && --left === 0) throw new LoadBalancerError(each.failure, 'a bad day', { retryAfterMs: 7_000 })
      }
      return
    }
    case 'kill':
      await killAt(world, each.nth)
      return
    case 'wait':
      await rig.clock.advance(each.ms)
      return
    default:
      each satisfies never
  }
}

/** The process dies at its nth effect or write from now, and another one takes over a while later. */
const killAt = async ({ rig, cloud }: World, at: number): Promise<void> => {
  let left = at
  const count = (): void => {
    if (--left !== 0) return
    rig.kill()
    throw new Error('killed')
  }
  cloud.fault = count
  rig.api.intercept = ({ verb, resource }) => {
    if (resource === 'services' && verb === 'patch') count()
  }
  await rig.clock.advance(6_000)
  cloud.fault = undefined
  rig.api.intercept = undefined
  await rig.start(cloud.provider())
}

/** As a user's `kubectl apply`: what controllers wrote stays. */
const set = (world: World, { name: wanted, ports: numbers, share, type }: Step & { readonly act: 'set' }): void => {
  const made = testService(wanted, numbers)
  const present = find(world, wanted)
  if (present?.metadata.deletionTimestamp !== undefined) return
  const { [SHARE_ANNOTATION]: _, ...annotations } = present?.metadata.annotations ?? {}
  world.rig.put({
    ...made,
    metadata: {
      ...(present?.metadata ?? { ...made.metadata, uid: `uid-${wanted}-${made.metadata.creationTimestamp}` }),
      annotations: { ...annotations, ...(share === undefined ? {} : { [SHARE_ANNOTATION]: share }) },
    },
    spec: { ...made.spec, type: type === 'ClusterIP' ? 'ClusterIP' : 'LoadBalancer' },
    ...(present?.status === undefined ? {} : { status: present.status }),
  })
}

const check = ({ rig, cloud }: World): void => {
  const services = rig.api.objects(serviceKind)
  const wanted = new Map<string, Set<string>>()
  for (const { metadata, spec, status } of services) {
    expect(metadata.deletionTimestamp, `${metadata.name} was let go`).toBeUndefined()
    const isBalanced = spec.type === 'LoadBalancer'
    expect((metadata.finalizers ?? []).includes(CLEANUP_FINALIZER)).toBe(isBalanced)
    expect((status?.loadBalancer?.ingress ?? []).length > 0).toBe(isBalanced)
    if (!isBalanced) continue
    const share = metadata.annotations?.[SHARE_ANNOTATION]
    const key = share === undefined ? `default/${metadata.name}` : `share:${share}`
    const listeners = wanted.get(key) ?? new Set()
    for (const { port } of spec.ports ?? []) listeners.add(`TCP ${port}`)
    wanted.set(key, listeners)
  }
  const there = [...cloud.balancers.values()].map(({ key, listeners }) => [key, [...listeners.keys()].sort()] as const)
  const expected = [...wanted].map(([key, listeners]) => [key, [...listeners].sort()] as const)
  expect(there.sort()).toEqual(expected.sort())
}
