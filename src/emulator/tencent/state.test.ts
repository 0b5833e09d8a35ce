import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { actionNamed, type Context, type Outcome } from './actions/index.ts'
import { CloudError } from './errors.ts'
import { emptyInventory } from './inventory.ts'
import { defaultQuotas } from './quotas.ts'
import { asEvents, type Event, emptyState, evolve, runningTasks, type State, settle } from './state.ts'

/** What a load balancer should hold: targets with their weights, by listener. */
type Model = Map<string, Map<string, Map<string, number>>>

type Step =
  | { readonly do: 'create' | 'delete' | 'batch-deregister'; readonly at: number; readonly of: number }
  | { readonly do: 'listen' | 'unlisten'; readonly at: number; readonly of: number }
  | {
      readonly do: 'register' | 'batch-register' | 'deregister' | 'reweigh'
      readonly at: number
      readonly of: number
      readonly target: number
      readonly weight: number
    }
  | { readonly do: 'end'; readonly isWell: boolean }

const small = fc.nat(3)
const stepOf: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('create' as const, 'delete' as const, 'batch-deregister' as const), at: small, of: small }),
  fc.record({ do: fc.constantFrom('listen' as const, 'listen' as const, 'unlisten' as const), at: small, of: small }),
  fc.record({
    do: fc.constantFrom('register' as const, 'batch-register' as const, 'deregister' as const, 'reweigh' as const),
    at: small,
    of: small,
    target: small,
    weight: fc.nat(100),
  }),
  fc.record({ do: fc.constant('end' as const), isWell: fc.boolean() }),
  fc.record({ do: fc.constant('end' as const), isWell: fc.constant(true) }),
)

const ADDRESS = (target: number): string => `10.0.0.${target + 1}`

/** Runs a sequence of steps on the state and on the model, which knows nothing of how the state is made. */
class Run {
  state: State = emptyState
  readonly events: Event[] = []
  readonly model: Model = new Map()
  /** What each running task will have done to the model. */
  readonly pending = new Map<string, () => void>()
  readonly locked = new Set<string>()
  #ids = 0

  call(name: string, request: object): Outcome | string {
    const context: Context = {
      now: 0,
      requestId: `task-${++this.#ids}`,
      region: 'r',
      uin: '1',
      inventory: emptyInventory,
      quotas: { ...defaultQuotas, TOTAL_OPEN_CLB_QUOTA: 3 },
      isDomainType: false,
      newId: (prefix) => `${prefix}-${++this.#ids}`,
      freeVip: (taken) => ['1.0.0.1', '1.0.0.2', '1.0.0.3'].find((vip) => !taken.has(vip)),
      hasCertificate: () => false,
      healthOf: () => 'Alive',
      failingListeners: 0,
    }
    const before = this.state
    try {
      const outcome = actionNamed('2018-03-17', name).run(before, request, context)
      this.commit(outcome.events)
      return outcome
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      expect(this.state).toBe(before)
      return error.code
    }
  }

  commit(events: readonly Event[]): void {
    this.state = evolve(this.state, events)
    // What is journalled is text.
    this.events.push(...(JSON.parse(JSON.stringify(events)) as Event[]))
  }

  lastTask(): string {
    return [...this.state.tasks.keys()].pop() ?? ''
  }
}

const pick = <T>(items: Iterable<T>, index: number): T | undefined => {
  const all = [...items]
  return all.length === 0 ? undefined : all[index % all.length]
}

const step = (run: Run, one: Step): void => {
  if (one.do === 'end') return void endTask(run, one.isWell)
  if (one.do === 'create') return void create(run)
  const id = pick(run.model.keys(), one.at)
  if (id === undefined) return
  const listeners = run.model.get(id) ?? new Map<string, Map<string, number>>()
  const expectLocked = (result: Outcome | string): boolean => {
    if (!run.locked.has(id)) return false
    expect(result).toMatch(/^FailedOperation\.(ResourceInOperating|InvalidLBStatus)$/)
    return true
  }
  const begin = (effect: () => void): void => {
    run.locked.add(id)
    run.pending.set(run.lastTask(), () => {
      effect()
      run.locked.delete(id)
    })
  }
  if (one.do === 'delete') {
    if (!expectLocked(run.call('DeleteLoadBalancer', { LoadBalancerIds: [id] }))) begin(() => run.model.delete(id))
    return
  }
  if (one.do === 'listen') {
    const port = one.of + 1
    const isTaken = run.state.loadBalancers.get(id)?.listeners.some((listener) => listener.port === port)
    const result = run.call('CreateListener', { LoadBalancerId: id, Ports: [port], Protocol: 'TCP' })
    if (expectLocked(result)) return
    if (isTaken) return void expect(result).toBe('InvalidParameter.PortCheckFailed')
    const [listenerId = ''] = (result as Outcome).response['ListenerIds'] as string[]
    return void begin(() => listeners.set(listenerId, new Map()))
  }
  const listenerId = pick(listeners.keys(), one.of) ?? 'lbl-none'
  const targets = listeners.get(listenerId)
  if (one.do === 'unlisten') {
    const result = run.call('DeleteListener', { LoadBalancerId: id, ListenerId: listenerId })
    if (expectLocked(result)) return
    if (targets === undefined) return void expect(result).toBe('InvalidParameter.ListenerIdNotFound')
    return void begin(() => listeners.delete(listenerId))
  }
  if (one.do === 'batch-deregister') {
    const all = [...(targets?.keys() ?? [])].map((EniIp) => ({ ListenerId: listenerId, EniIp, Port: 80 }))
    if (all.length === 0) return
    if (!expectLocked(run.call('BatchDeregisterTargets', { LoadBalancerId: id, Targets: all }))) targets?.clear()
    return
  }
  if ('target' in one) changeTargets(run, one, { id, listeners, listenerId, expectLocked, begin })
}

const changeTargets = (
  run: Run,
  one: Extract<Step, { target: number }>,
  at: {
    readonly id: string
    readonly listeners: Map<string, Map<string, number>>
    readonly listenerId: string
    readonly expectLocked: (result: Outcome | string) => boolean
    readonly begin: (effect: () => void) => void
  },
): void => {
  const address = ADDRESS(one.target)
  const targets = at.listeners.get(at.listenerId)
  const isElsewhere = [...at.listeners].some(([other, those]) => other !== at.listenerId && those.has(address))
  const target = { EniIp: address, Port: 80, Weight: one.weight }
  if (one.do === 'batch-register') {
    const result = run.call('BatchRegisterTargets', {
      LoadBalancerId: at.id,
      Targets: [{ ...target, ListenerId: at.listenerId }],
    })
    if (at.expectLocked(result)) return
    if (targets === undefined) return void expect(result).toBe('InvalidParameter.ListenerIdNotFound')
    expect((result as Outcome).response['FailListenerIdSet']).toEqual(isElsewhere ? [at.listenerId] : [])
    if (!isElsewhere) targets.set(address, one.weight)
    return
  }
  const names = { register: 'RegisterTargets', deregister: 'DeregisterTargets', reweigh: 'ModifyTargetWeight' } as const
  const result = run.call(names[one.do], { LoadBalancerId: at.id, ListenerId: at.listenerId, Targets: [target] })
  if (at.expectLocked(result)) return
  if (targets === undefined) return void expect(result).toBe('InvalidParameter.ListenerIdNotFound')
  if (one.do === 'register' && isElsewhere) return void expect(result).toBe('InvalidParameterValue.Duplicate')
  if (one.do === 'reweigh' && !targets.has(address)) return void expect(result).toBe('InvalidParameter')
  at.begin(() => (one.do === 'deregister' ? targets.delete(address) : targets.set(address, one.weight)))
}

const create = (run: Run): void => {
  const result = run.call('CreateLoadBalancer', { LoadBalancerType: 'OPEN' })
  if (run.state.loadBalancers.size === 3 && typeof result === 'string') return void expect(result).toBe('LimitExceeded')
  const [id = ''] = (result as Outcome).response['LoadBalancerIds'] as string[]
  run.model.set(id, new Map())
  run.locked.add(id)
  run.pending.set(run.lastTask(), () => run.locked.delete(id))
}

const endTask = (run: Run, isWell: boolean): void => {
  const [task] = runningTasks(run.state)
  if (task === undefined) return
  run.commit(settle(run.state, task.id, isWell ? undefined : 'a fault'))
  const effect = run.pending.get(task.id)
  run.pending.delete(task.id)
  if (isWell) effect?.()
  else {
    for (const id of task.loadBalancerIds) {
      run.locked.delete(id)
      if (task.action === 'CreateLoadBalancer') run.model.delete(id)
    }
  }
  expect(run.state.tasks.get(task.id)).toMatchObject({ status: isWell ? 'succeeded' : 'failed' })
}

const held = (state: State): Model =>
  new Map(
    [...state.loadBalancers.values()].map((one) => [
      one.id,
      new Map(
        one.listeners.map((listener) => [listener.id, new Map(listener.targets.map(({ address, weight }) => [address, weight]))]),
      ),
    ]),
  )

describe('the state', () => {
  it('equals a simple model after any steps, locks what a task is at, and is what its events say', () => {
    fc.assert(
      fc.property(fc.array(stepOf, { maxLength: 60 }), (steps) => {
        const run = new Run()
        for (const one of steps) {
          step(run, one)
          expect(held(run.state)).toEqual(run.model)
        }
        expect(evolve(emptyState, run.events)).toEqual(run.state)
        expect(evolve(emptyState, JSON.parse(JSON.stringify(asEvents(run.state))) as Event[])).toEqual(run.state)
      }),
      { numRuns: 300 },
    )
  })

  it('forgets ended tasks beyond 2,000, and no running one', () => {
    let state = emptyState
    for (let n = 0; n < 2_100; n++) {
      const id = `task-${n}`
      state = evolve(state, [
        { task: id, to: { id, action: 'x', loadBalancerIds: [], startedAt: n, status: 'running', message: '', outcome: {} } },
      ])
      if (n > 0) state = evolve(state, settle(state, id))
    }
    expect(state.tasks.size).toBe(2_000)
    expect(state.tasks.get('task-0')?.status).toBe('running')
  })
})
