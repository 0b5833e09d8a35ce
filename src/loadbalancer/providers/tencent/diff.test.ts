import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { after } from './after.ts'
import type { ListenerInfo, LoadBalancerInfo, RuleInfo, TargetInfo } from './client/index.ts'
import { type DiffInput, diff, drainKey, type Observed, placeOf } from './diff.ts'
import type { Operation } from './operation.ts'
import { isLayer7, type Plan, type PlannedGroup, type PlannedListener, targetKey } from './plan.ts'

const INFO: LoadBalancerInfo = {
  id: 'lb-1',
  name: 'x',
  type: 'OPEN',
  isReady: true,
  isClassic: false,
  vips: ['203.0.113.1'],
  ipv6: undefined,
  domain: undefined,
  vpcId: undefined,
  subnetId: undefined,
  tags: {},
  securityGroups: [],
  passToTarget: false,
  bandwidth: 10,
  isProtected: false,
  isPrepaid: false,
  hasEndpoint: false,
  targetCount: 0,
}

const OURS = 'TKE-LISTENER.uid-a'

/** `10.0.0.1:80*10`: address, port and weight; `~` behind it for one that is only kept. */
const target = (text: string): TargetInfo => {
  const [, address = '', port, weight] = /^(.*):(\d+)\*(\d+)~?$/.exec(text) ?? []
  return { kind: 'address', id: address, address, port: Number(port), weight: Number(weight) }
}

const group = (texts: readonly string[], more: Partial<PlannedGroup> = {}): PlannedGroup => ({
  rule: undefined,
  targets: texts.map((text) => {
    const { address: _, ...rest } = target(text)
    return { ...rest, isOnlyKept: text.endsWith('~') }
  }),
  isComplete: true,
  drains: true,
  ...more,
})

const planned = (port: number, groups: readonly PlannedGroup[], more: Partial<PlannedListener> = {}): PlannedListener => ({
  ownerUid: 'uid-a',
  servicePort: `TCP ${port}`,
  name: OURS,
  protocol: 'TCP',
  port,
  isSni: false,
  certificates: [],
  isHeld: false,
  settings: {},
  groups,
  ...more,
})

const present = (port: number, texts: readonly string[] = [], more: Partial<ListenerInfo> = {}): ListenerInfo => ({
  id: `lbl-${port}`,
  name: OURS,
  protocol: 'TCP',
  port,
  isSni: false,
  certificates: [],
  settings: {},
  rules: [],
  targets: texts.map(target),
  ...more,
})

const planOf = (listeners: readonly PlannedListener[], attributes: Plan['attributes'] = {}): Plan => ({
  listeners,
  managedNames: new Set([OURS]),
  attributes,
  problems: new Map(),
  portErrors: new Map(),
})

const DRAIN_MS = 1_000

const diffOf = (listeners: readonly ListenerInfo[], plan: Plan, more: Partial<DiffInput> = {}) =>
  diff({
    observed: { info: INFO, listeners },
    plan,
    blocked: new Set(),
    zeroSince: new Map(),
    now: 0,
    drainMs: DRAIN_MS,
    ...more,
  })

const text = (operation: Operation): string => {
  switch (operation.kind) {
    case 'create-listeners':
      return `create ${operation.listeners.map(({ protocol, port }) => `${protocol} ${port}`).join(', ')}`
    case 'register':
    case 'weigh':
    case 'deregister':
      return `${operation.kind} ${operation.targets.map(({ listenerId, id, port, weight }) => `${listenerId} ${id}:${port}*${weight}`).join(', ')}`
    case 'delete-listeners':
    case 'delete-rules':
      return `${operation.kind} ${operation.ids.join(', ')}`
    default:
      return operation.kind
  }
}

const drained = new Map([[drainKey({ listenerId: 'lbl-80' }, { id: '10.0.0.1', port: 80 }), -DRAIN_MS]])

describe('diff', () => {
  it.each<[string, readonly ListenerInfo[], readonly PlannedListener[], readonly string[], Partial<DiffInput>?]>([
    ['of nothing', [], [], []],
    ['of what is there', [present(80, ['10.0.0.1:80*10'])], [planned(80, [group(['10.0.0.1:80*10'])])], []],
    ['makes listeners together', [], [planned(80, [group([])]), planned(81, [group([])])], ['create TCP 80, TCP 81']],
    [
      'makes those that differ apart',
      [],
      [planned(80, [group([])]), planned(81, [group([])], { settings: { sessionSeconds: 30 } })],
      ['create TCP 80', 'create TCP 81'],
    ],
    ['does not make what is held', [], [planned(80, [group([])], { isHeld: true })], []],
    [
      'does not make what has no certificate',
      [],
      [planned(80, [group([])], { protocol: 'TCP_SSL', certificates: undefined })],
      [],
    ],
    [
      'keeps a certificate that is not known any more',
      [present(80, [], { protocol: 'TCP_SSL', certificates: ['c'] })],
      [planned(80, [group([])], { protocol: 'TCP_SSL', certificates: undefined })],
      [],
    ],
    [
      'sets a new certificate',
      [present(80, [], { protocol: 'TCP_SSL', certificates: ['c'] })],
      [planned(80, [group([])], { protocol: 'TCP_SSL', certificates: ['d'] })],
      ['modify-listener'],
    ],
    [
      'sets settings that differ',
      [present(80, [], { settings: { sessionSeconds: 0, scheduler: 'WRR' } })],
      [planned(80, [group([])], { settings: { sessionSeconds: 30 } })],
      ['modify-listener'],
    ],
    [
      'leaves settings that nobody declares',
      [present(80, [], { settings: { scheduler: 'LEAST_CONN' } })],
      [planned(80, [group([])])],
      [],
    ],
    ['adds before it takes away', [present(80)], [planned(81, [group([])])], ['create TCP 81']],
    [
      'takes away when nothing is left to add',
      [present(80), present(81)],
      [planned(81, [group([])])],
      ['delete-listeners lbl-80'],
    ],
    [
      'makes way for another protocol on the same port',
      [present(80)],
      [planned(80, [group([])], { protocol: 'HTTP' })],
      ['delete-listeners lbl-80', 'create HTTP 80'],
    ],
    ['leaves what is not called as ours', [present(80, ['9.9.9.9:9*1'], { name: 'mine' })], [], []],
    ['registers', [present(80)], [planned(80, [group(['10.0.0.1:80*10'])])], ['register lbl-80 10.0.0.1:80*10']],
    ['does not register what is only kept', [present(80)], [planned(80, [group(['10.0.0.1:80*0~'])])], []],
    [
      'weighs what is only kept',
      [present(80, ['10.0.0.1:80*10'])],
      [planned(80, [group(['10.0.0.1:80*0~'])])],
      ['weigh lbl-80 10.0.0.1:80*0'],
    ],
    [
      'registers before it drains',
      [present(80, ['10.0.0.1:80*10'])],
      [planned(80, [group(['10.0.0.2:80*10'])])],
      ['register lbl-80 10.0.0.2:80*10', 'weigh lbl-80 10.0.0.1:80*0'],
    ],
    ['waits for what drains', [present(80, ['10.0.0.1:80*0'])], [planned(80, [group([])])], []],
    [
      'takes what has drained',
      [present(80, ['10.0.0.1:80*0'])],
      [planned(80, [group([])])],
      ['deregister lbl-80 10.0.0.1:80*0'],
      { zeroSince: drained },
    ],
    [
      'takes at once where the user wants no drain',
      [present(80, ['10.0.0.1:80*10'])],
      [planned(80, [group([], { drains: false })])],
      ['deregister lbl-80 10.0.0.1:80*10'],
    ],
    [
      'never takes targets of a set that is not whole',
      [present(80, ['10.0.0.1:80*10', '10.0.0.2:80*0'])],
      [planned(80, [group([], { isComplete: false })])],
      [],
      { zeroSince: drained },
    ],
    [
      'does nothing about what is blocked',
      [present(80, ['10.0.0.1:80*10'])],
      [planned(80, [group([])])],
      [],
      { blocked: new Set(['TCP 80']) },
    ],
  ])('%s', (_title, listeners, wanted, expected, more = {}) => {
    expect(diffOf(listeners, planOf(wanted), more).operations.map(text)).toEqual(expected)
  })

  it('says how long the first that drains still takes', () => {
    const zeroSince = new Map([[drainKey({ listenerId: 'lbl-80' }, { id: '10.0.0.1', port: 80 }), -400]])
    expect(diffOf([present(80, ['10.0.0.1:80*0'])], planOf([planned(80, [group([])])]), { zeroSince }).waitMs).toBe(600)
  })

  it('sets attributes that are declared and differ', () => {
    const attributes = { passToTarget: true, securityGroups: ['sg-1'], bandwidth: 10 }
    expect(diffOf([], planOf([], attributes)).operations).toEqual([
      { kind: 'set-security-groups', groups: ['sg-1'] },
      { kind: 'modify-load-balancer', changes: { passToTarget: true } },
    ])
  })
})

describe('diff, whatever there is and whatever is wanted', () => {
  const protocol = fc.constantFrom('TCP', 'UDP', 'TCP_SSL', 'HTTP', 'HTTPS') as fc.Arbitrary<PlannedListener['protocol']>
  const place = fc.tuple(fc.integer({ min: 80, max: 83 }), protocol)
  const targets = fc.uniqueArray(fc.record({ host: fc.integer({ min: 1, max: 4 }), weight: fc.constantFrom(0, 10, 20) }), {
    selector: ({ host }) => host,
    maxLength: 4,
  })
  const settings = fc.record(
    { sessionSeconds: fc.constantFrom(0, 30), scheduler: fc.constantFrom('WRR', 'LEAST_CONN') },
    { requiredKeys: [] },
  )
  const certificates = fc.constantFrom<readonly string[]>(['c'], ['d'])
  const domain = fc.constantFrom('a.b', 'c.d', 'e.f')
  const infoOf = (all: readonly { readonly host: number; readonly weight: number }[]): readonly TargetInfo[] =>
    all.map(({ host, weight }) => target(`10.0.0.${host}:80*${weight}`))

  const presentOne = fc
    .record({
      place,
      name: fc.constantFrom(OURS, 'mine', 'TKE-LISTENER.uid-b'),
      targets,
      settings,
      certificates,
      isSni: fc.boolean(),
      domains: fc.uniqueArray(domain),
    })
    .map(({ place: [port, own], ...rest }): ListenerInfo => {
      const layer7 = isLayer7(own)
      const rules = rest.domains.map(
        (each): RuleInfo => ({
          id: `loc-${port}-${own}-${each}`,
          domain: each,
          url: '/',
          certificates: rest.certificates,
          settings: rest.settings,
          targets: infoOf(rest.targets),
        }),
      )
      return {
        id: `lbl-${port}-${own}-${rest.name}`,
        name: rest.name,
        protocol: own,
        port,
        isSni: own === 'HTTPS' && rest.isSni,
        certificates: rest.certificates,
        settings: layer7 ? {} : rest.settings,
        rules: layer7 ? rules : [],
        targets: layer7 ? [] : infoOf(rest.targets),
      }
    })
  const plannedOne = fc
    .record({
      place,
      targets: fc.uniqueArray(
        fc.record({ host: fc.integer({ min: 1, max: 4 }), weight: fc.constantFrom(0, 10), isOnlyKept: fc.boolean() }),
        { selector: ({ host }) => host, maxLength: 4 },
      ),
      settings,
      certificates: fc.option(certificates, { nil: undefined }),
      isSni: fc.boolean(),
      isHeld: fc.boolean(),
      isComplete: fc.boolean(),
      drains: fc.boolean(),
      domains: fc.uniqueArray(domain, { minLength: 1 }),
    })
    .map(({ place: [port, own], domains, ...rest }): PlannedListener => {
      const wanted = rest.targets.map(({ host, weight, isOnlyKept }) => ({
        kind: 'address' as const,
        id: `10.0.0.${host}`,
        port: 80,
        weight,
        isOnlyKept,
      }))
      const of = (each?: string): PlannedGroup => ({
        rule:
          each === undefined
            ? undefined
            : { domain: each, url: '/', certificates: own === 'HTTPS' ? rest.certificates : [], settings: rest.settings },
        targets: wanted,
        isComplete: rest.isComplete,
        drains: rest.drains,
      })
      const usesTls = own === 'TCP_SSL' || own === 'HTTPS'
      const isSni = own === 'HTTPS' && rest.isSni
      return planned(port, isLayer7(own) ? domains.map(of) : [of()], {
        protocol: own,
        isSni,
        certificates: usesTls && !isSni ? rest.certificates : [],
        isHeld: rest.isHeld,
        settings: isLayer7(own) ? {} : rest.settings,
      })
    })
  const observed = fc
    .uniqueArray(presentOne, { selector: placeOf, maxLength: 6 })
    .map((listeners): Observed => ({ info: INFO, listeners }))
  const plan = fc.uniqueArray(plannedOne, { selector: placeOf, maxLength: 6 })

  /** A plan never has a port that somebody else has. */
  const world = fc.tuple(observed, plan).map(([before, listeners]) => {
    const foreign = new Set(before.listeners.filter(({ name }) => name !== OURS).map(placeOf))
    return { before, wanted: planOf(listeners.filter((each) => !foreign.has(placeOf(each)))) }
  })

  let made = 0
  const run = (
    start: Observed,
    wanted: Plan,
    check: (before: Observed, operation: Operation, next: Observed) => void = () => {},
  ) => {
    let current = start
    const zeroSince = new Map<string, number>()
    for (let now = 0; now < 40 * DRAIN_MS; ) {
      for (const { id: listenerId, targets: own, rules } of current.listeners)
        for (const [place, all] of [
          [{ listenerId }, own] as const,
          ...rules.map((rule) => [{ listenerId, locationId: rule.id }, rule.targets] as const),
        ])
          for (const one of all)
            if (one.weight === 0 && !zeroSince.has(drainKey(place, one))) zeroSince.set(drainKey(place, one), now)
      const { operations, waitMs } = diff({
        observed: current,
        plan: wanted,
        blocked: new Set(),
        zeroSince,
        now,
        drainMs: DRAIN_MS,
      })
      if (operations.length === 0 && waitMs === undefined) return current
      for (const operation of operations) {
        const next = after(
          current,
          operation,
          Array.from({ length: 60 }, () => `made-${++made}`),
        )
        check(current, operation, next)
        current = next
      }
      now += operations.length === 0 ? (waitMs ?? 0) : 0
    }
    throw new Error('does not come to an end')
  }

  const groupsIn = ({ rules, targets: own, protocol: of }: ListenerInfo) =>
    isLayer7(of) ? rules.map((rule) => rule.targets) : [own]

  it('applied until it is empty, gives what is wanted', () => {
    fc.assert(
      fc.property(world, ({ before, wanted }) => {
        const end = run(before, wanted)
        const ours = end.listeners.filter(({ name }) => name === OURS)
        for (const listener of wanted.listeners) {
          const found = ours.find((each) => each.protocol === listener.protocol && each.port === listener.port)
          if (found === undefined) {
            const hasAll =
              listener.certificates !== undefined &&
              listener.groups.every(({ rule }) => !listener.isSni || rule?.certificates !== undefined)
            expect(listener.isHeld || !hasAll).toBe(true)
            continue
          }
          expect(found.settings).toMatchObject(listener.settings)
          for (const { rule, targets: own, isComplete } of listener.groups) {
            const at = rule === undefined ? found : found.rules.find((each) => each.domain === rule.domain)
            if (at === undefined) {
              expect(rule?.certificates).toBeUndefined()
              continue
            }
            const there = new Map(at.targets.map((one) => [targetKey(one), one.weight]))
            for (const one of own)
              if (!one.isOnlyKept || there.has(targetKey(one))) expect(there.get(targetKey(one))).toBe(one.weight)
            const keys = new Set(own.map(targetKey))
            if (isComplete) expect([...there.keys()].filter((key) => !keys.has(key))).toEqual([])
          }
        }
        const places = new Set(wanted.listeners.map(({ protocol: of, port }) => `${of} ${port}`))
        expect(ours.filter(({ protocol: of, port }) => !places.has(`${of} ${port}`))).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('touches nothing that is not ours', () => {
    fc.assert(
      fc.property(world, ({ before, wanted }) => {
        const foreign = ({ listeners }: Observed) => listeners.filter(({ name }) => name !== OURS)
        expect(foreign(run(before, wanted))).toEqual(foreign(before))
      }),
      { numRuns: 300 },
    )
  })

  it('never leaves a listener that served without a target, while it is to have one', () => {
    fc.assert(
      fc.property(world, ({ before, wanted }) => {
        run(before, wanted, (was, operation, is) => {
          if (operation.kind === 'delete-listeners' || operation.kind === 'delete-rules') return
          for (const listener of was.listeners) {
            const plannedIt = wanted.listeners.find(
              (each) => each.name === listener.name && each.protocol === listener.protocol && each.port === listener.port,
            )
            const next = is.listeners.find(({ id }) => id === listener.id)
            if (plannedIt === undefined || next === undefined) continue
            const isToServe = plannedIt.groups.some(({ targets: own }) =>
              own.some(({ weight, isOnlyKept }) => weight > 0 && !isOnlyKept),
            )
            if (!isToServe) continue
            groupsIn(listener).forEach((own, index) => {
              if (own.some(({ weight }) => weight > 0)) expect(groupsIn(next)[index]?.some(({ weight }) => weight > 0)).toBe(true)
            })
          }
        })
      }),
      { numRuns: 300 },
    )
  })
})
