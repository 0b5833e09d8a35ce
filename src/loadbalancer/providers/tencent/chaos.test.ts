import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CloudApi } from './client/index.ts'
import { plan } from './desired.ts'
import { diff } from './diff.ts'
import { CLUSTER_TAG, CREATED_BY_TAG, ownKey, SERVICE_TAG } from './marks.ts'
import { viewOwner } from './owner-view.ts'
import { startTestCloud, type TestCloud } from './testing/cloud.ts'
import { endpoint, listener, node, type OwnerOptions, owner } from './testing/owners.ts'
import { createRig, type Rig } from './testing/rig.ts'

const NEVER = new AbortController().signal

let cloud: TestCloud
beforeEach(async () => {
  cloud = await startTestCloud()
})
afterEach(() => cloud.close())

const all = () => cloud.api.describeLoadBalancers({}, NEVER)

/** A client of a process that ends when it first gets no answer; what it has under way then is lost. */
const mortal = () => {
  const death = new AbortController()
  const client = cloud.client({
    timeoutMs: 5_000,
    onCall: ({ result }) => {
      if (result === 'unavailable') death.abort(new Error('SIGKILL'))
    },
  })
  return { ...client, death }
}

/** The process ends at its `nth` request from now: before that arrives, or when it was done and not yet answered. */
const dieAt = async (nth: number, when: 'before' | 'after'): Promise<void> => {
  await cloud.control('DELETE', '/faults')
  if (when === 'after') await cloud.control('POST', '/faults', { kind: 'lose-response', after: nth - 1, times: 1 })
  await cloud.control('POST', '/faults', { kind: 'drop-request', after: when === 'after' ? nth : nth - 1 })
}

const served = async (): Promise<readonly string[]> => {
  const lines: string[] = []
  for (const { id } of await all())
    for (const { protocol, port, targets } of await cloud.api.describeListeners(id, NEVER))
      lines.push(`${protocol} ${port}${targets.map((each) => ` ${each.port}*${each.weight}`).join('')}`)
  return lines.sort()
}

describe('SIGKILL between any two requests', () => {
  it.each(['before', 'after'] as const)(
    '(%s it is done) of create, update and delete makes no second load balancer, and loses none',
    async (when) => {
      let deaths = 0
      for (let nth = 1; ; nth++) {
        const rig = createRig(cloud)
        const step = async (change: () => void, expected: readonly string[]): Promise<boolean> => {
          change()
          const process = mortal()
          rig.restart(process.api)
          await dieAt(nth, when)
          const isDead = await rig.settleAll(process.death.signal).then(
            () => false,
            () => true,
          )
          await process.close()
          await cloud.control('DELETE', '/faults')
          rig.restart()
          await rig.settleAll()
          expect(await served(), `request ${nth}`).toEqual(expected)
          expect((await all()).length).toBe(expected.length === 0 ? 0 : 1)
          return isDead
        }
        const died = [
          await step(
            () => rig.put(owner('web', { listeners: [listener('TCP', 80), listener('UDP', 81)] })),
            ['TCP 80 30080*10', 'UDP 81 30081*10'],
          ),
          await step(
            () => rig.edit('web', { listeners: [listener('UDP', 81), listener('TCP', 82)] }),
            ['TCP 82 30082*10', 'UDP 81 30081*10'],
          ),
          await step(() => rig.leave('web'), []),
        ]
        deaths += died.filter(Boolean).length
        if (!died.includes(true)) break
      }
      expect(deaths).toBeGreaterThan(15)
    },
    120_000,
  )
})

type Step = (world: World) => Promise<void> | void

interface World {
  readonly rig: Rig
  readonly lent: string
  /** Listeners that users made, as `load balancer name port`. */
  readonly foreign: Set<string>
  process: ReturnType<typeof mortal>
}

const NAMES = ['a', 'b', 'c', 'd']
const theirs = (port: number) => ({
  name: 'theirs',
  protocol: 'TCP' as const,
  port,
  isSni: false,
  certificates: [],
  settings: {},
})

/** What the cloud has of ours. */
const own = async () => (await all()).filter(({ tags }) => tags[SERVICE_TAG] !== undefined)

const name = fc.constantFrom(...NAMES)
const ports = fc.uniqueArray(fc.integer({ min: 80, max: 84 }), { minLength: 1, maxLength: 3 })
const pods = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom('ready', 'notReady', 'terminating')), {
  selector: ([host]) => host,
  maxLength: 4,
})

const wish = fc
  .record({
    ports,
    pods,
    isDirect: fc.boolean(),
    isLent: fc.boolean(),
    udp: fc.boolean(),
    more: fc.constantFrom<OwnerOptions['annotations']>(
      {},
      { passToTarget: 'true' },
      { securityGroups: 'sg-a1' },
      { bandwidth: '5' },
      { weights: '{"defaultWeight":20}' },
      { protocols: '{"80":{"protocol":["HTTP"],"hosts":{"a.b":{},"c.d":{}}},"81":{"protocol":["HTTP"]}}' },
      { backendsLabel: 'no=where' },
      { directAccess: 'maybe' },
      { subnetId: 'wrong' },
    ),
    affinity: fc.constantFrom(undefined, 60),
  })
  .map(
    ({ ports: numbers, pods: hosts, isDirect, isLent, udp, more, affinity }) =>
      (lent: string): OwnerOptions => ({
        annotations: { ...(isDirect && { directAccess: 'true' }), ...(isLent && { existedId: lent }), ...more },
        sessionAffinitySeconds: affinity,
        listeners: numbers.map((port, index) =>
          listener(udp && index === 0 ? 'UDP' : 'TCP', port, {
            endpoints: hosts.map(([host, state]) => endpoint(`127.0.0.${host}:${8_000 + port} ${state}`)),
          }),
        ),
      }),
  )

/** Uncertain what was done: that is what the next look is for. */
const tolerant = async (work: Promise<unknown>): Promise<void> => {
  await work.catch(() => undefined)
}

const withOne = async (pick: number, act: (id: string) => Promise<unknown>): Promise<void> => {
  // Users' own calls get through.
  await cloud.control('DELETE', '/faults')
  const mine = await own()
  const found = mine[pick % Math.max(1, mine.length)]
  if (found !== undefined) await tolerant(act(found.id))
}

const settle =
  (each: string): Step =>
  async ({ rig, process }) => {
    if (rig.has(each)) await tolerant(process.death.signal.aborted ? Promise.resolve() : rig.settle(each))
  }

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(name, wish).map(
      ([each, options]): Step =>
        async (world) => {
          const { rig, lent } = world
          const created = `2026-01-01T00:00:0${NAMES.indexOf(each)}Z`
          if (!rig.has(each)) rig.put(owner(each, { ...options(lent), createdAt: created }))
          else if (rig.get(each).state === 'wanted') {
            const next = owner(each, options(lent))
            const kept = Object.entries(rig.get(each).annotations).filter(([key]) => key.startsWith('loadbalancer.fairway.dev/'))
            rig.edit(each, {
              listeners: next.listeners,
              sessionAffinitySeconds: next.sessionAffinitySeconds,
              annotations: { ...next.annotations, ...Object.fromEntries(kept) },
            })
          }
          await settle(each)(world)
        },
    ),
  },
  {
    weight: 2,
    arbitrary: name.map(
      (each): Step =>
        async (world) => {
          if (world.rig.has(each)) world.rig.leave(each)
          await settle(each)(world)
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 3 }).map(
      (count): Step =>
        ({ rig }) => {
          rig.nodes = Array.from({ length: count }, (_, index) => node(`n${index}`, { addresses: [`127.0.1.${index + 1}`] }))
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(9).map(
      (pick): Step =>
        () =>
          withOne(pick, async (id) => {
            const found = (await cloud.api.listListeners(id, NEVER)).find(({ name: of }) => of !== 'theirs')
            if (found !== undefined) await cloud.api.deleteListeners(id, [found.id], NEVER)
          }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(9).map(
      (pick): Step =>
        () =>
          withOne(pick, async (id) => {
            const found = (await cloud.api.describeListeners(id, NEVER)).find(({ targets }) => targets.length > 0)
            const [target] = found?.targets ?? []
            if (found !== undefined && target !== undefined)
              await cloud.api.modifyWeights(id, [{ ...target, listenerId: found.id, weight: 77 }], NEVER)
          }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(9).map(
      (pick): Step =>
        () =>
          withOne(pick, (id) => cloud.api.deleteLoadBalancer(id, NEVER)),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(9), fc.integer({ min: 80, max: 86 })).map(
      ([pick, port]): Step =>
        ({ foreign }) =>
          withOne(pick, async (id) => {
            await cloud.api.createListeners(id, [theirs(port)], NEVER)
            foreign.add(`${id} theirs ${port}`)
          }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        kind: fc.constantFrom('throttle', 'drop-request', 'lose-response', 'fail-task', 'partial', 'outage'),
        times: fc.integer({ min: 1, max: 3 }),
        after: fc.integer({ min: 0, max: 6 }),
      })
      .map(
        (fault): Step =>
          async () =>
            void (await cloud.control('POST', '/faults', fault)),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.constant<Step>(async (world) => {
      await world.process.close()
      world.process = mortal()
      world.rig.restart(world.process.api)
    }),
  },
)

/** Until nothing asks for more: a controller would come again. */
const quiet = async ({ rig }: World): Promise<void> => {
  await cloud.control('DELETE', '/faults')
  rig.restart(cloud.api)
  for (let round = 0; round < 5; round++) {
    const isDone = await rig.settleAll().then(
      () => true,
      () => false,
    )
    if (isDone) return
  }
  await rig.settleAll()
}

const check = async ({ rig, lent, foreign }: World): Promise<void> => {
  const present = await all()
  const wanted = NAMES.filter((each) => rig.has(each) && rig.get(each).state === 'wanted')
  const placed = wanted.filter((each) => rig.claim(each).kind === 'ours')
  const isOwn = (each: string): boolean => (rig.claim(each) as { readonly key: string }).key === ownKey(`uid-${each}`)
  const marks = present.filter(({ tags }) => tags[CREATED_BY_TAG] === 'yes').map(({ tags }) => tags[SERVICE_TAG])
  expect(marks.sort(), 'one for each Service, none leaked').toEqual(
    placed
      .filter(isOwn)
      .map((each) => `uid-${each}`)
      .sort(),
  )

  const there = new Set<string>()
  for (const info of present) {
    const listeners = await cloud.api.describeListeners(info.id, NEVER)
    for (const { name: of, port } of listeners) there.add(`${info.id} ${of} ${port}`)
    const views = placed
      .filter((each) => (info.id === lent ? !isOwn(each) : info.tags[SERVICE_TAG] === `uid-${each}`))
      .map((each) => viewOwner(rig.get(each)))
    const lookups = { configs: new Map(), certificates: new Map(), instances: new Map() }
    const now = plan({
      views,
      nodes: rig.nodes,
      info,
      present: listeners,
      nodeTargets: 'address',
      isOwn: info.id !== lent,
      lookups,
    })
    const rest = diff({ observed: { info, listeners }, plan: now, blocked: new Set(), zeroSince: new Map(), now: 0, drainMs: 0 })
    expect(rest.operations, `${info.id} is as desired`).toEqual([])
    if (views.length === 0)
      expect(
        listeners.filter(({ name: of }) => of.startsWith('TKE-')),
        'nothing leaked',
      ).toEqual([])
  }
  const ids = new Set(present.map(({ id }) => id))
  for (const each of foreign) if (ids.has(each.split(' ')[0] ?? '')) expect(there, 'nothing foreign was touched').toContain(each)
  expect(present.find(({ id }) => id === lent)?.tags[CLUSTER_TAG] !== undefined).toBe(placed.some((each) => !isOwn(each)))
}

describe('whatever users, pods and the cloud do', () => {
  it('after quiet the cloud is as desired, nothing foreign was touched, and nothing leaked', async () => {
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 4, maxLength: 16 }), async (script) => {
        await cloud.close()
        cloud = await startTestCloud()
        runs++
        const lent = await cloud.api.createLoadBalancer({ ClientToken: 'lent', LoadBalancerType: 'OPEN' }, NEVER)
        await tolerant(untilReady(cloud.api, lent))
        await cloud.api.createListeners(lent, [theirs(90)], NEVER)
        const process = mortal()
        const world: World = { rig: createRig(process), lent, foreign: new Set([`${lent} theirs 90`]), process }
        for (const step of script) await step(world)
        await world.process.close()
        world.process = mortal()
        await quiet(world)
        await check(world)
        await cloud.control('DELETE', '/calls')
        await world.rig.settleAll()
        const { actions } = (await cloud.control('GET', '/calls')) as { readonly actions: Readonly<Record<string, unknown>> }
        expect(
          Object.keys(actions).filter((action) => !action.startsWith('Describe')),
          'a second look writes nothing',
        ).toEqual([])
        await world.process.close()
      }),
      { numRuns: Number(process.env['FAIRWAY_CHAOS_RUNS'] ?? 12), endOnFailure: true, timeout: 60_000 },
    )
    expect(runs).toBeGreaterThan(0)
  }, 600_000)
})

const untilReady = async (api: CloudApi, id: string): Promise<void> => {
  while ((await api.loadBalancer(id, NEVER))?.isReady !== true);
}
