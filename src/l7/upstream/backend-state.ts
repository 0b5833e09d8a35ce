import type { Timed } from '../deadlines.ts'
import type { Backend } from '../table/index.ts'
import { type Balancer, type Chance, chance } from './balance/balancer.ts'
import { balancerFor, type Questions } from './balance/balancer-for.ts'
import { eligible } from './balance/eligible.ts'
import { HashRing } from './balance/hash-ring.ts'
import { RetryBudget } from './balance/retry-budget.ts'
import type { CheckQueue } from './health/check-queue.ts'
import type { Member } from './member.ts'
import { Members } from './members.ts'
import type { EndpointPool, Pools, StandingWatcher } from './pool.ts'

/** What a request asks of its endpoint. */
export interface ChoiceHint {
  /** Endpoint id that the client's cookie asks for. */
  readonly wanted?: string | undefined
  /** Consistent hashing; an empty key is none. */
  readonly hashKey?: string | undefined
  /** So many endpoints after the key's place take turns. */
  readonly hashSubset?: number | undefined
  /** Endpoints that this request has tried. */
  readonly tried?: readonly EndpointPool[] | undefined
}

export interface BackendStats {
  readonly endpoints: number
  readonly ejected: number
  readonly unhealthy: number
}

export interface BackendSurroundings {
  readonly pools: Pools
  readonly checks: CheckQueue
  readonly chance?: Chance
}

const NO_HINT: ChoiceHint = {}
/** Turns that a choice passes over before it looks at all endpoints. */
const MOST_PASSED = 4

/** A backend in service: its endpoints, which of them may have requests, and whose turn it is. Updated in place, so requests in progress see changes. */
export class BackendState implements Timed, StandingWatcher {
  deadlineMs = 0
  readonly #pools: Pools
  readonly #chance: Chance
  readonly #budget: RetryBudget
  readonly #questions: Questions<Member>
  readonly #members: Members
  #backend: Backend
  #isStale = true
  /** A choice without a hint needs nothing but the balancer. */
  #isPlain = false
  #first: readonly Member[] = []
  #spare: readonly Member[] = []
  #ejected = 0
  #due: Member[] = []
  #balancer: Balancer<Member> | undefined
  #ring: HashRing<Member> | undefined
  #byId: ReadonlyMap<string, Member> | undefined
  #turn = 0

  constructor(backend: Backend, { pools, checks, chance: luck = chance }: BackendSurroundings) {
    const { deadlines, settings } = pools
    this.#pools = pools
    this.#members = new Members(pools, checks, this)
    this.#chance = luck
    this.#budget = new RetryBudget(deadlines, { share: settings.retryShare, perSecond: settings.retriesPerSecond })
    this.#questions = {
      weight: (member) => (member.weight || 1) * member.shareAt(deadlines.nowMs, this.#slowStartMs),
      active: ({ pool }) => pool.active,
      latencyCost: ({ pool }) => pool.latency.cost(pool.active, deadlines.nowMs),
    }
    this.#backend = backend
    this.update(backend)
  }

  get backend(): Backend {
    return this.#backend
  }

  get unavailable(): string | undefined {
    return this.#backend.unavailable
  }

  get size(): number {
    return this.#members.size
  }

  /** The endpoint of the next attempt; undefined when none may be tried: there is none, all were tried, or all are full. */
  choose(hint?: ChoiceHint): EndpointPool | undefined {
    if (this.#isStale) this.#refresh()
    if (hint?.tried === undefined) this.#budget.countRequest()
    if (hint === undefined && this.#isPlain) return this.#balancer?.pick()?.pool
    return this.#chooseBy(hint ?? NO_HINT)
  }

  /** Takes one retry out of the budget; false when retries are already too large a part of the load. */
  mayRetry(): boolean {
    return this.#budget.take()
  }

  /** Serves the changed backend from the next choice on. Endpoints that stay keep their connections and all that is known of them. */
  update(backend: Backend): void {
    this.#backend = backend
    this.#members.update(backend)
    this.#ring = undefined
    this.#byId = undefined
    this.onStanding()
  }

  /** The backend is gone: whoever still asks gets no endpoint. */
  close(): void {
    this.update({ endpoints: [] })
    this.stop()
  }

  /** Ends what runs by itself. */
  stop(): void {
    this.deadlineMs = 0
    this.#pools.deadlines.remove(this)
    this.#members.stopChecks()
  }

  stats(): BackendStats {
    if (this.#isStale) this.#refresh()
    let unhealthy = 0
    for (const member of this.#members.all()) if (member.isUnhealthy) unhealthy++
    return { endpoints: this.#members.size, ejected: this.#ejected, unhealthy }
  }

  onStanding(): void {
    this.#isStale = true
  }

  /** While an endpoint starts slowly: the clock has moved on. */
  onDeadline(): void {
    if (this.#slowUntilMs() > this.#pools.deadlines.nowMs) {
      this.#balancer?.reweigh?.()
      this.deadlineMs = this.#pools.deadlines.nowMs + 1
      return
    }
    this.#pools.deadlines.remove(this)
    this.#isStale = true
  }

  get #slowStartMs(): number {
    return this.#backend.slowStartMs ?? 0
  }

  #refresh(): void {
    this.#isStale = false
    const { settings } = this.#pools
    const all = this.#members.all()
    const { first, spare, ejected } = eligible(all, settings.maxEjectedShare)
    for (const member of all) member.isUsable = false
    for (const member of [...first, ...spare]) member.isUsable = true
    this.#first = first
    this.#spare = spare
    this.#ejected = ejected.length
    const turns = new Set(first)
    this.#due = all.filter((one) => one.pool.ejection.isDue && (turns.has(one) || (!one.isUnhealthy && one.weight > 0)))
    this.#balancer = this.#makeBalancer(first)
    this.#isPlain = this.#due.length === 0 && settings.maxRequestsPerEndpoint === 0
  }

  #makeBalancer(members: readonly Member[]): Balancer<Member> {
    const { deadlines } = this.#pools
    const weight = members[0]?.weight
    const isSlow = this.#slowUntilMs() > deadlines.nowMs
    const areEqual = !isSlow && members.every((member) => member.weight === weight)
    if (isSlow) {
      this.deadlineMs = deadlines.nowMs + 1
      deadlines.add(this)
    }
    const surroundings = { questions: this.#questions, chance: this.#chance }
    return balancerFor(this.#backend.balance ?? 'round-robin', members, areEqual, surroundings)
  }

  #slowUntilMs(): number {
    let last = 0
    for (const { slowUntilMs } of this.#first) last = Math.max(last, slowUntilMs)
    return last
  }

  #chooseBy(hint: ChoiceHint): EndpointPool | undefined {
    const member = this.#wanted(hint) ?? this.#hashed(hint) ?? this.#probe(hint) ?? this.#balanced(hint)
    if (member?.pool.ejection.isDue) member.pool.ejection.beginProbe()
    return member?.pool
  }

  #wanted(hint: ChoiceHint): Member | undefined {
    if (hint.wanted === undefined) return undefined
    this.#byId ??= new Map(this.#members.all().map((member) => [member.id, member]))
    const member = this.#byId.get(hint.wanted)
    return member !== undefined && this.#mayHave(member, hint) ? member : undefined
  }

  #hashed(hint: ChoiceHint): Member | undefined {
    const { hashKey, hashSubset = 1 } = hint
    if (hashKey === undefined || hashKey === '') return undefined
    this.#ring ??= new HashRing(this.#members.all())
    const found = this.#ring.findSome(hashKey, hashSubset, (member) => this.#mayHave(member, hint))
    return found[this.#turn++ % Math.max(1, found.length)]
  }

  /** An endpoint whose time is over proves itself by one request that has tried no other yet. */
  #probe(hint: ChoiceHint): Member | undefined {
    return hint.tried === undefined ? this.#due.find((member) => this.#mayHave(member, hint)) : undefined
  }

  #balanced(hint: ChoiceHint): Member | undefined {
    for (let i = 0; i < MOST_PASSED; i++) {
      const member = this.#balancer?.pick()
      if (member === undefined) break
      if (this.#mayHave(member, hint)) return member
    }
    return this.#anyOf(this.#first, hint) ?? this.#anyOf(this.#spare, hint)
  }

  #anyOf(members: readonly Member[], hint: ChoiceHint): Member | undefined {
    const from = Math.floor(this.#chance.random() * members.length)
    for (let i = 0; i < members.length; i++) {
      const member = members[(from + i) % members.length]
      if (member !== undefined && this.#mayHave(member, hint)) return member
    }
    return undefined
  }

  #mayHave({ isUsable, isUnhealthy, pool }: Member, { tried }: ChoiceHint): boolean {
    const { maxRequestsPerEndpoint } = this.#pools.settings
    if (!isUsable && (isUnhealthy || !pool.ejection.isDue)) return false
    if (maxRequestsPerEndpoint > 0 && pool.active >= maxRequestsPerEndpoint) return false
    return tried === undefined || !tried.includes(pool)
  }
}
