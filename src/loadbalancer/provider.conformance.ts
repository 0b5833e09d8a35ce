import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Service } from '../api/index.ts'
import { desiredLoadBalancer } from './desired.ts'
import { formatPlacement, PLACEMENT_ANNOTATION, placementOf } from './placement.ts'
import type { DesiredLoadBalancer, Notes, Outcome, Owner, Placement, Provider, TargetNode } from './provider.ts'

export interface ProviderHarness {
  /** A provider over the same world, as a process has it after its start; the one before is not used any more. */
  open(): Promise<Provider> | Provider
  /** A Service that this provider serves, with uid, creation time and these TCP ports; Services with the same `share` want the same load balancer. */
  service(name: string, options: { readonly ports: readonly number[]; readonly share?: string }): Service
  /** `address TCP port`, sorted: from the world, given what the statuses of Services say, never from the provider. */
  served(services: readonly Service[]): Promise<readonly string[]> | readonly string[]
  /** Changes that the world has seen. */
  writes(): number
  /** How many load balancers there are, whoever made them. */
  count(services: readonly Service[]): number
  /** The process dies at its `nth` effect from now, before or after it takes hold: the call rejects. False when this provider has none to die at. */
  dieAt(nth: number, when: 'before' | 'after'): boolean
  readonly nodes: readonly TargetNode[]
  close(): Promise<void> | void
}

export interface Skip {
  readonly test: string
  readonly reason: string
}

const CLUSTER = 'cls-conformance'
const NEVER = new AbortController().signal

/** What every {@link Provider} does. */
export const providerConformance = (name: string, open: () => Promise<ProviderHarness>, skips: readonly Skip[] = []): void => {
  const test = (title: string, body: () => Promise<void>): void => {
    const skip = skips.find((each) => each.test === title)
    if (skip === undefined) it(title, body)
    else it.skip(`${title} (${skip.reason})`, body)
  }

  describe(`provider conformance: ${name}`, () => {
    let harness: ProviderHarness
    let cluster: Cluster

    beforeEach(async () => {
      harness = await open()
      cluster = await createCluster(harness)
    })
    afterEach(() => harness.close())

    test('makes a load balancer, says where it is, and serves every port', async () => {
      cluster.add(harness.service('web', { ports: [80, 443] }))
      await cluster.settle('web')
      const [entry] = cluster.get('web').status?.loadBalancer?.ingress ?? []
      expect(entry?.ip ?? entry?.hostname).toBeTruthy()
      expect(await cluster.servedPorts('web')).toEqual(['TCP 443', 'TCP 80'])
    })

    test('writes nothing when everything is in place, in both looks', async () => {
      cluster.add(harness.service('web', { ports: [80] }))
      await cluster.settle('web')
      const before = harness.writes()
      const first = await cluster.settle('web', 'full')
      const second = await cluster.settle('web', 'changed')
      expect(harness.writes()).toBe(before)
      expect(second.services).toEqual(first.services)
    })

    test('keeps the load balancer over a restart, without a write', async () => {
      cluster.add(harness.service('web', { ports: [80] }))
      await cluster.settle('web')
      const [before, writes] = [cluster.get('web').status, harness.writes()]
      await cluster.restart()
      await cluster.settle('web', 'full')
      expect(cluster.get('web').status).toEqual(before)
      expect(harness.writes()).toBe(writes)
    })

    test('follows ports that come and go, and keeps the address', async () => {
      cluster.add(harness.service('web', { ports: [80, 81] }))
      await cluster.settle('web')
      const before = cluster.get('web').status?.loadBalancer?.ingress?.[0]?.ip
      cluster.setPorts('web', harness.service('web', { ports: [81, 82] }).spec.ports ?? [])
      await cluster.settle('web')
      expect(await cluster.servedPorts('web')).toEqual(['TCP 81', 'TCP 82'])
      expect(cluster.get('web').status?.loadBalancer?.ingress?.[0]?.ip).toBe(before)
    })

    test('tells in `observe` of what it made, with key and token', async () => {
      cluster.add(harness.service('web', { ports: [80] }))
      await cluster.settle('web')
      const { key, token } = cluster.placement('web')
      expect(await cluster.provider.observe(NEVER)).toMatchObject([{ key, token, isOwned: true }])
    })

    test('removes all that it made; doing so again, or for what never was, is no failure', async () => {
      cluster.add(harness.service('web', { ports: [80] }))
      await cluster.settle('web')
      cluster.leave('web')
      expect((await cluster.settle('web')).services.get('uid-web')?.isReleased).toBe(true)
      expect(harness.count(cluster.staying())).toBe(0)
      expect((await cluster.settle('web')).services.get('uid-web')?.isReleased).toBe(true)
      cluster.add(harness.service('never', { ports: [80] }))
      cluster.leave('never')
      expect((await cluster.settle('never')).services.get('uid-never')?.isReleased).toBe(true)
      expect(await cluster.provider.observe(NEVER)).toEqual([])
    })

    test('sharers have one address; one that leaves takes only its own ports', async () => {
      cluster.add(harness.service('a', { ports: [80], share: 's' }))
      cluster.add(harness.service('b', { ports: [81], share: 's' }))
      await cluster.settle('a')
      const addressOf = (service: string) => cluster.get(service).status?.loadBalancer?.ingress?.[0]?.ip
      expect(addressOf('a')).toBe(addressOf('b'))
      expect(harness.count(cluster.all())).toBe(1)
      cluster.leave('a')
      const outcome = await cluster.settle('b')
      expect(outcome.services.get('uid-a')?.isReleased).toBe(true)
      cluster.forget('a')
      expect(await cluster.servedPorts('b')).toEqual(['TCP 81'])
      expect(harness.count(cluster.all())).toBe(1)
    })

    test('of sharers that want the same port the oldest has it; the other is told, and gets it when the first leaves', async () => {
      cluster.add(harness.service('a', { ports: [80], share: 's' }))
      cluster.add(harness.service('b', { ports: [80, 81], share: 's' }))
      const outcome = await cluster.settle('a')
      expect(outcome.services.get('uid-a')?.problems).toEqual([])
      expect(outcome.services.get('uid-b')?.problems).toHaveLength(1)
      expect(await cluster.servedPorts('a')).toContain('TCP 80')
      cluster.leave('a')
      await cluster.settle('b')
      cluster.forget('a')
      const after = await cluster.settle('b')
      expect(after.services.get('uid-b')?.problems).toEqual([])
      expect(await cluster.servedPorts('b')).toEqual(['TCP 80', 'TCP 81'])
    })

    test('answers for every owner of a call', async () => {
      cluster.add(harness.service('a', { ports: [80], share: 's' }))
      cluster.add(harness.service('b', { ports: [81], share: 's' }))
      const outcome = await cluster.settle('a')
      expect([...outcome.services.keys()].sort()).toEqual(['uid-a', 'uid-b'])
    })

    for (const when of ['before', 'after'] as const) {
      test(`a death ${when} any effect of creating leaves no second load balancer`, async () => {
        for (let nth = 1; nth < 100; nth++) {
          const service = `web-${nth}`
          cluster.add(harness.service(service, { ports: [80, 81] }))
          if (!harness.dieAt(nth, when)) return
          const died = await cluster.settle(service).then(
            () => false,
            () => true,
          )
          await cluster.restart()
          await cluster.settle(service, 'full')
          expect(harness.count(cluster.all())).toBe(1)
          expect(await cluster.servedPorts(service)).toEqual(['TCP 80', 'TCP 81'])
          cluster.leave(service)
          await cluster.settle(service)
          cluster.forget(service)
          expect(harness.count(cluster.all())).toBe(0)
          if (!died) return
        }
      })

      test(`a death ${when} any effect of removing leaves nothing`, async () => {
        for (let nth = 1; nth < 100; nth++) {
          const service = `web-${nth}`
          cluster.add(harness.service(service, { ports: [80, 81] }))
          await cluster.settle(service)
          cluster.leave(service)
          if (!harness.dieAt(nth, when)) return
          const died = await cluster.settle(service).then(
            () => false,
            () => true,
          )
          await cluster.restart()
          const outcome = await cluster.settle(service, 'full')
          expect(outcome.services.get(`uid-${service}`)?.isReleased).toBe(true)
          cluster.forget(service)
          expect(harness.count(cluster.all())).toBe(0)
          if (!died) return
        }
      })
    }
  })
}

type Cluster = Awaited<ReturnType<typeof createCluster>>

/** The controller's part, as small as can be: keeps what it would store on Services, and repeats calls while the provider asks for it. */
const createCluster = async (harness: ProviderHarness) => {
  const services = new Map<string, Service>()
  const states = new Map<string, Owner['state']>()
  const tokens = new Map<string, string>()
  let provider = await harness.open()
  let lives = 0

  const get = (name: string): Service => {
    const service = services.get(name)
    if (service === undefined) throw new Error(`no Service ${name}`)
    return service
  }
  const placement = (name: string): Placement => {
    const placed = placementOf(get(name))
    if (placed === undefined) throw new Error(`the Service ${name} was not placed`)
    return placed
  }
  const annotate = (service: Service, changes: Readonly<Record<string, string | null>> = {}): Service => {
    const annotations = Object.entries({ ...service.metadata.annotations, ...changes }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    )
    return { ...service, metadata: { ...service.metadata, annotations: Object.fromEntries(annotations) } }
  }
  const nameOf = (uid: string): string => uid.slice('uid-'.length)
  const notes: Notes = {
    write: async (uid, changes) => void services.set(nameOf(uid), annotate(get(nameOf(uid)), changes)),
  }
  const desiredOf = (key: string): DesiredLoadBalancer => {
    const owners = [...services].filter(([name]) => placement(name).key === key)
    return desiredLoadBalancer({
      key,
      token: tokens.get(key) ?? '',
      clusterId: CLUSTER,
      owners: owners.map(([name, service]) => ({ service, state: states.get(name) ?? 'wanted', slices: [] })),
      nodes: harness.nodes,
    })
  }
  const apply = ({ services: outcomes }: Outcome): void => {
    for (const [uid, { ingress, annotations }] of outcomes) {
      const service = annotate(get(nameOf(uid)), annotations)
      const isLeaving = states.get(nameOf(uid)) === 'leaving'
      services.set(nameOf(uid), { ...service, status: { loadBalancer: { ingress: isLeaving ? [] : [...ingress] } } })
    }
  }
  const step = (key: string, look: 'full' | 'changed'): Promise<Outcome> => {
    const desired = desiredOf(key)
    const action = desired.owners.every(({ state }) => state === 'leaving') ? 'remove' : 'ensure'
    return provider[action](desired, { look, notes, signal: NEVER })
  }
  return {
    get provider() {
      return provider
    },
    get,
    placement,
    all: () => [...services.values()],
    staying: () => [...services.values()].filter(({ metadata }) => states.get(metadata.name) !== 'leaving'),
    add(service: Service): void {
      const claim = provider.claim(service, undefined)
      if (claim.kind !== 'ours') throw new Error(`the provider does not want ${service.metadata.name}`)
      const shared = [...services.keys()].some((name) => placement(name).key === claim.key)
      if (!shared) tokens.set(claim.key, `token-${++lives}`)
      const placed = { provider: provider.name, key: claim.key, token: tokens.get(claim.key) ?? '' }
      services.set(service.metadata.name, annotate(service, { [PLACEMENT_ANNOTATION]: formatPlacement(placed) }))
      states.set(service.metadata.name, 'wanted')
    },
    setPorts(name: string, ports: NonNullable<Service['spec']['ports']>): void {
      const service = get(name)
      services.set(name, { ...service, spec: { ...service.spec, ports } })
    },
    leave: (name: string): void => void states.set(name, 'leaving'),
    forget(name: string): void {
      services.delete(name)
      states.delete(name)
    },
    /** A new process that knows what is stored on Services. */
    async restart(): Promise<void> {
      provider = await harness.open()
      const keys = new Set([...services.keys()].map((name) => placement(name).key))
      await provider.warm([...keys].map(desiredOf), NEVER)
    },
    async settle(name: string, look: 'full' | 'changed' = 'changed'): Promise<Outcome> {
      const { key } = placement(name)
      let outcome = await step(key, look)
      for (let round = 0; round < 50 && outcome.againAfterMs !== undefined; round++) {
        apply(outcome)
        outcome = await step(key, 'changed')
      }
      apply(outcome)
      expect(outcome.againAfterMs, 'comes to an end').toBeUndefined()
      return outcome
    },
    /** `TCP 80` of those that are served at the address of a Service. */
    async servedPorts(name: string): Promise<readonly string[]> {
      const [entry] = get(name).status?.loadBalancer?.ingress ?? []
      const address = entry?.ip ?? entry?.hostname
      const served = await harness.served([...services.values()])
      return served.filter((line) => line.startsWith(`${address} `)).map((line) => line.slice(`${address} `.length))
    },
  }
}
