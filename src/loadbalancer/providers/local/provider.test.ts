import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Service } from '../../../api/index.ts'
import { desiredLoadBalancer } from '../../desired.ts'
import { providerConformance } from '../../provider.conformance.ts'
import type { Outcome, Provider } from '../../provider.ts'
import { testService } from '../../testing/services.ts'
import { onePool, readLocalConfig } from './config.ts'
import { createLocalProvider } from './provider.ts'
import { ADDRESSES_ANNOTATION, POOL_ANNOTATION, SHARE_ANNOTATION } from './wish.ts'

const NEVER = new AbortController().signal

/** Of this provider the statuses of Services are the world: the proxies carry what stands there. */
const addressesOf = (services: readonly Service[]): readonly string[] =>
  services.flatMap(({ status }) => (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip])))

providerConformance('local', async () => ({
  open: () => createLocalProvider(onePool('192.0.2.0/29')),
  service: (name, { ports, share }) => testService(name, ports, share === undefined ? {} : { [SHARE_ANNOTATION]: share }),
  served: (services) =>
    services
      .flatMap((service) =>
        addressesOf([service]).flatMap((ip) =>
          (service.spec.ports ?? []).map(({ protocol, port }) => `${ip} ${protocol} ${port}`),
        ),
      )
      .sort(),
  writes: () => 0,
  count: (services) => new Set(addressesOf(services)).size,
  // It has no effects but its answers.
  dieAt: () => false,
  nodes: [],
  close: () => {},
}))

const providerOf = (file: unknown): Provider => {
  const result = readLocalConfig(file)
  if (result.kind === 'problems') throw new Error(result.problems.join('; '))
  return createLocalProvider(result.config)
}

const desiredOf = (services: readonly Service[], key: string) =>
  desiredLoadBalancer({
    key,
    token: 't',
    clusterId: 'c',
    owners: services.map((service) => ({ service, state: 'wanted', slices: [] })),
    nodes: [],
  })

const ensure = async (provider: Provider, ...services: readonly Service[]): Promise<Outcome> => {
  const [first] = services
  const claim = first && provider.claim(first, undefined)
  if (claim?.kind !== 'ours') throw new Error('not ours')
  return provider.ensure(desiredOf(services, claim.key), { look: 'changed', notes: { write: async () => {} }, signal: NEVER })
}
const give = async (provider: Provider, service: Service): Promise<string> => {
  const own = (await ensure(provider, service)).services.get(service.metadata.uid ?? '')
  return own?.ingress.map(({ ip }) => ip).join() || (own?.problems[0]?.reason ?? '')
}
const remove = (provider: Provider, service: Service): Promise<Outcome> =>
  provider.remove(desiredOf([service], `default/${service.metadata.name}`), {
    look: 'changed',
    notes: { write: async () => {} },
    signal: NEVER,
  })
const withSpec = (service: Service, spec: Partial<Service['spec']>): Service => ({
  ...service,
  spec: { ...service.spec, ...spec },
})

describe('the local provider', () => {
  const pools = [
    { name: 'wide', addresses: ['192.0.2.254-192.0.3.1', '2001:db8::/126'] },
    { name: 'team', addresses: ['198.51.100.7'], namespaces: ['team'] },
    { name: 'labelled', addresses: ['198.51.100.8'], serviceSelector: { matchLabels: { tier: 'front' } } },
    { name: 'asked', addresses: ['198.51.100.9'], autoAssign: false },
  ]

  it('passes over .255 and .0, unless they are asked for', async () => {
    const provider = providerOf({ pools })
    expect(await give(provider, testService('a', [80]))).toBe('192.0.2.254')
    expect(await give(provider, testService('b', [80]))).toBe('192.0.3.1')
    expect(await give(provider, testService('c', [80], { [ADDRESSES_ANNOTATION]: '192.0.3.0' }))).toBe('192.0.3.0')
  })

  it.each([
    ['a pool of the namespace before that of all', { namespace: 'team' }, {}, '198.51.100.7'],
    ['a pool of its labels before that of all', { labels: { tier: 'front' } }, {}, '198.51.100.8'],
    ['the pool that it names', {}, { [POOL_ANNOTATION]: 'asked' }, '198.51.100.9'],
    ['not a pool of another namespace', {}, { [POOL_ANNOTATION]: 'team' }, 'AddressesExhausted'],
    ['no pool that is not there', {}, { [POOL_ANNOTATION]: 'nowhere' }, 'NoSuchPool'],
    ['the address that it asks for', {}, { [ADDRESSES_ANNOTATION]: '192.0.3.1' }, '192.0.3.1'],
    ['no address of another namespace', {}, { [ADDRESSES_ANNOTATION]: '198.51.100.7' }, 'AddressNotInPool'],
    ['no address outside', {}, { [ADDRESSES_ANNOTATION]: '203.0.113.1' }, 'AddressNotInPool'],
  ])('gives %s', async (_, metadata, annotations, expected) => {
    const service = testService('web', [80], annotations)
    expect(await give(providerOf({ pools }), { ...service, metadata: { ...service.metadata, ...metadata } })).toBe(expected)
  })

  it('takes spec.loadBalancerIP for a wish, however it is written', async () => {
    const service = withSpec(testService('web', [80]), { loadBalancerIP: '2001:DB8:0::2', ipFamilies: ['IPv6'] })
    expect(await give(providerOf({ pools }), service)).toBe('2001:db8::2')
  })

  it('gives one address of each family, and fewer where the Service takes fewer', async () => {
    const dual = (policy: 'PreferDualStack' | 'RequireDualStack') =>
      withSpec(testService(policy, [80]), { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: policy })
    expect(await give(providerOf({ pools }), dual('RequireDualStack'))).toBe('192.0.2.254,2001:db8::')
    const single = providerOf({ pools: [{ name: 'p', addresses: ['192.0.2.1'] }] })
    const required = (await ensure(single, dual('RequireDualStack'))).services.get('uid-RequireDualStack')
    expect(required?.problems).toMatchObject([{ reason: 'AddressesExhausted' }])
    await remove(single, dual('RequireDualStack'))
    expect(await give(single, dual('PreferDualStack'))).toBe('192.0.2.1')
  })

  it('keeps what a Service has when it asks for what cannot be had, and says so', async () => {
    const provider = providerOf({ pools })
    await give(provider, testService('a', [80]))
    const asking = testService('a', [80], { [ADDRESSES_ANNOTATION]: '203.0.113.1' })
    const own = (await ensure(provider, asking)).services.get('uid-a')
    expect(own?.ingress).toEqual([{ ip: '192.0.2.254', ipMode: 'VIP' }])
    expect(own?.problems).toMatchObject([{ reason: 'AddressNotInPool' }])
  })

  it('gives a freed address to the one that waits, before one that comes later', async () => {
    const provider = providerOf({ pools: [{ name: 'p', addresses: ['192.0.2.1'] }] })
    const woken: string[] = []
    provider.onChange((key) => woken.push(key))
    const [first, waiter, late] = [testService('first', [80]), testService('waiter', [80]), testService('late', [80])]
    expect(await give(provider, first)).toBe('192.0.2.1')
    expect(await give(provider, waiter)).toBe('AddressesExhausted')
    await remove(provider, first)
    expect(woken).toEqual(['default/waiter'])
    expect(await give(provider, late)).toBe('AddressesExhausted')
    expect(await give(provider, waiter)).toBe('192.0.2.1')
  })

  it('frees for the one that waits also what a Service gives up for another address', async () => {
    const provider = providerOf({ pools: [{ name: 'p', addresses: ['192.0.2.1-192.0.2.2'] }] })
    const woken: string[] = []
    provider.onChange((key) => woken.push(key))
    await give(provider, testService('a', [80]))
    expect(await give(provider, testService('b', [80], { [ADDRESSES_ANNOTATION]: '192.0.2.1' }))).toBe('AddressInUse')
    expect(await give(provider, testService('a', [80], { [ADDRESSES_ANNOTATION]: '192.0.2.2' }))).toBe('192.0.2.2')
    expect(woken).toEqual(['default/b'])
  })

  it.each([
    ['both Cluster', {}, {}, undefined],
    ['one Local', { externalTrafficPolicy: 'Local' as const }, {}, 'PolicyConflict'],
    [
      'both Local, same selector',
      { externalTrafficPolicy: 'Local' as const, selector: { a: 'b' } },
      { externalTrafficPolicy: 'Local' as const, selector: { a: 'b' } },
      undefined,
    ],
    [
      'both Local, other selectors',
      { externalTrafficPolicy: 'Local' as const, selector: { a: 'b' } },
      { externalTrafficPolicy: 'Local' as const, selector: { a: 'c' } },
      'PolicyConflict',
    ],
  ])('lets Services share where policies allow: %s', async (_, first, second, reason) => {
    const share = { [SHARE_ANNOTATION]: 's' }
    const [a, b] = [withSpec(testService('a', [80], share), first), withSpec(testService('b', [81], share), second)]
    const outcome = await ensure(providerOf({ pools }), a, b)
    expect(outcome.services.get('uid-a')?.problems).toEqual([])
    expect(outcome.services.get('uid-b')?.problems[0]?.reason).toBe(reason)
  })

  it('an edit takes no port from a sharer that has it', async () => {
    const share = { [SHARE_ANNOTATION]: 's' }
    const provider = providerOf({ pools })
    const [a, b] = [testService('a', [80], share), testService('b', [81], share)]
    await ensure(provider, a, b)
    const outcome = await ensure(provider, withSpec(a, { ports: testService('x', [81]).spec.ports }), b)
    expect(outcome.services.get('uid-b')?.problems).toEqual([])
    expect(outcome.services.get('uid-a')?.problems).toMatchObject([{ reason: 'PortConflict' }])
  })

  it('serves Services of its class, and those without one unless told otherwise', () => {
    const of = (loadBalancerClass: string | undefined) => withSpec(testService('web', [80]), { loadBalancerClass })
    const kinds = (provider: Provider) =>
      [undefined, 'fairway.dev/local', 'other'].map((name) => provider.claim(of(name), undefined).kind)
    expect(kinds(providerOf({ pools }))).toEqual(['ours', 'ours', 'not-ours'])
    expect(kinds(providerOf({ pools, default: false }))).toEqual(['not-ours', 'ours', 'not-ours'])
  })
})

describe('the configuration', () => {
  it.each([
    [undefined, ['the file: must be a map', 'pools: name at least one pool']],
    [{ pools: [{ name: 'a', addresses: ['192.0.2.0/33'] }] }, ['pools[0].addresses[0]: "192.0.2.0/33" is neither']],
    [{ pools: [{ name: 'a', addresses: ['192.0.2.9-192.0.2.1'] }] }, ['ends before it begins']],
    [{ pools: [{ addresses: [] }] }, ['pools[0].addresses: name at least one', 'pools[0].name']],
    [
      {
        pools: [
          { name: 'a', addresses: ['192.0.2.0/24'] },
          { name: 'b', addresses: ['192.0.2.7'] },
        ],
      },
      ['a and b both have 192.0.2.7'],
    ],
    [{ pool: [] }, ['pool: is not known']],
    [
      {
        pools: [{ name: 'a', addresses: ['192.0.2.1'], serviceSelector: { matchExpressions: [{ key: 'a', operator: 'Near' }] } }],
      },
      ['operator'],
    ],
    [
      { pools: [{ name: 'a', addresses: ['192.0.2.1'] }], announce: { interfaces: ['eth0; reboot'], leaseSeconds: 1 } },
      ['no name of a device', '2 to 60'],
    ],
  ])('tells every problem of %j', (file, parts) => {
    const result = readLocalConfig(file)
    const text = result.kind === 'problems' ? result.problems.join('\n') : ''
    for (const part of parts) expect(text).toContain(part)
  })

  it('never throws', () => {
    fc.assert(fc.property(fc.anything(), (file) => void readLocalConfig(file)))
    const pool = fc.record({
      name: fc.anything(),
      addresses: fc.array(fc.oneof(fc.string(), fc.anything())),
      namespaces: fc.anything(),
    })
    fc.assert(fc.property(fc.record({ pools: fc.array(pool) }), (file) => void readLocalConfig(file)))
  })
})

describe('any history of Services', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f']
  const step = fc.record({
    name: fc.constantFrom(...NAMES),
    act: fc.constantFrom('set' as const, 'delete' as const, 'restart' as const),
    share: fc.constantFrom(undefined, 's'),
    asked: fc.constantFrom(undefined, '192.0.2.1', '192.0.2.3'),
    port: fc.constantFrom(80, 81),
  })

  it('never gives an address to two owners that do not share, is stable, leaves nobody waiting beside a free address, and survives restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const open = (): Provider => providerOf({ pools: [{ name: 'p', addresses: ['192.0.2.1-192.0.2.3'] }] })
        const world = historyOf(open)
        for (const each of steps) {
          await world.act(each)
          world.check()
        }
      }),
      { numRuns: 500 },
    )
  })
})

/** As the controller would call, with what it would have stored. */
const historyOf = (open: () => Provider) => {
  const services = new Map<string, Service>()
  const keys = new Map<string, string>()
  let provider = open()
  let woken = new Set<string>()
  const listen = (): void => void provider.onChange((key) => woken.add(key))
  listen()

  const members = (key: string): readonly Service[] =>
    [...services.values()].filter(({ metadata }) => keys.get(metadata.name) === key)
  const call = { look: 'changed' as const, notes: { write: async () => {} }, signal: NEVER }
  const sync = async (key: string): Promise<void> => {
    const owners = members(key)
    if (owners.length === 0) return void (await provider.remove(desiredOf([], key), call))
    const { services: outcomes } = await provider.ensure(desiredOf(owners, key), call)
    for (const owner of owners) {
      const ingress = [...(outcomes.get(owner.metadata.uid ?? '')?.ingress ?? [])]
      services.set(owner.metadata.name, { ...owner, status: { loadBalancer: { ingress } } })
    }
  }
  const settle = async (first: readonly string[]): Promise<void> => {
    for (const key of first) await sync(key)
    while (woken.size > 0) {
      const next = [...woken]
      woken = new Set()
      for (const key of next) await sync(key)
    }
  }
  return {
    async act({
      name,
      act,
      share,
      asked,
      port,
    }: {
      name: string
      act: 'set' | 'delete' | 'restart'
      share?: string | undefined
      asked?: string | undefined
      port: number
    }) {
      const before = keys.get(name)
      if (act === 'restart') {
        const known = addressesOf([...services.values()])
        provider = open()
        listen()
        await provider.warm(
          [...new Set(keys.values())].map((key) => desiredOf(members(key), key)),
          NEVER,
        )
        await settle([...new Set(keys.values())])
        for (const address of known) expect(addressesOf([...services.values()])).toContain(address)
        return
      }
      services.delete(name)
      keys.delete(name)
      if (act === 'set') {
        const annotations = {
          ...(share ? { [SHARE_ANNOTATION]: share } : {}),
          ...(asked ? { [ADDRESSES_ANNOTATION]: asked } : {}),
        }
        const made = testService(name, [port], annotations)
        services.set(name, { ...made, metadata: { ...made.metadata, uid: `${name} ${made.metadata.creationTimestamp}` } })
        keys.set(name, share ? `shared:${share}` : `default/${name}`)
      }
      await settle([...new Set([before, keys.get(name)])].filter((key) => key !== undefined))
    },
    check() {
      const owners = new Map<string, string>()
      for (const [name, service] of services) {
        for (const address of addressesOf([service])) {
          const key = keys.get(name) ?? ''
          expect(owners.get(address) ?? key).toBe(key)
          owners.set(address, key)
        }
      }
      const isWaiting = [...services].some(
        ([name, service]) =>
          members(keys.get(name) ?? '').every((each) => addressesOf([each]).length === 0) &&
          service.metadata.annotations?.[ADDRESSES_ANNOTATION] === undefined &&
          members(keys.get(name) ?? '').every(({ metadata }) => metadata.annotations?.[ADDRESSES_ANNOTATION] === undefined),
      )
      if (isWaiting) expect(owners.size).toBe(3)
    },
  }
}
