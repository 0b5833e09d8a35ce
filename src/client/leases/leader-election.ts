import { isAlreadyExists, isConflict, isNotFound, type Lease, leaseKind } from '../../api/index.ts'
import {
  aborted,
  type Clock,
  type Component,
  errorMessage,
  type Logger,
  type Running,
  sleep,
  type Timer,
} from '../../base/index.ts'
import type { Client } from '../client.ts'
import { acquired, type Holder, released, renewed } from './record.ts'

/** Whether this process leads; for those who act only then. */
export interface Leadership {
  /** False as soon as the lease may run out for others, also when this process was stopped in between and no timer has fired yet. */
  readonly isLeader: boolean
  /** Who leads, as far as is known. */
  readonly holder: string | undefined
  /** Called after each change of `isLeader`; returns how to stop listening. */
  onChange(handler: (isLeader: boolean) => void): () => void
}

export interface LeaderElection extends Component, Leadership {}

export interface LeaderElectionOptions {
  readonly client: Pick<Client, 'get' | 'create' | 'update'>
  readonly lease: { readonly namespace: string; readonly name: string }
  /** Another one for each process: two with the same would both lead. */
  readonly identity: string
  readonly timing?: LeaderTiming
  readonly clock: Clock
  readonly log: Logger
  /** For the jitter; `Math.random` when left out. */
  readonly random?: () => number
}

export interface LeaderTiming {
  /** How long others wait after the last change that they saw of the lease. */
  readonly leaseDurationMs: number
  /** How long a leader leads after its last renewal was sent; shorter than the lease, so that it ends first. */
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
}

/** client-go's defaults. */
const defaultTiming: LeaderTiming = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 }

const JITTER = 1.2
const RELEASE_TIMEOUT_MS = 3_000
const RELEASE_TRIES = 3

/**
 * Leader election by a Lease, with client-go's rules: every time is told by this process' monotonic clock, so that clocks of machines may differ; every write is
 * guarded by the resource version. A leader that cannot renew steps down and tries again; a stop gives the lease back. `start` does not wait for an answer.
 */
export const createLeaderElection = (options: LeaderElectionOptions): LeaderElection => {
  const election = new Election(options)
  return {
    name: `election of ${options.lease.namespace}/${options.lease.name}`,
    get isLeader() {
      return election.isLeader
    },
    get holder() {
      return election.holder
    },
    onChange: (handler) => election.onChange(handler),
    start: async (signal): Promise<Running> => ({ stopped: election.run(signal) }),
  }
}

/** For a process that is alone: it leads. */
export const soleLeader: Leadership = { isLeader: true, holder: undefined, onChange: () => () => {} }

/** `undecided`: somebody wrote at the same moment; a leader leads on to its deadline. */
type Outcome = 'ours' | 'others' | 'undecided'

class Election {
  readonly #options: LeaderElectionOptions
  readonly #timing: LeaderTiming
  readonly #handlers = new Set<(isLeader: boolean) => void>()
  #observed: { readonly lease: Lease; readonly at: number } | undefined
  #leadsUntil = Number.NEGATIVE_INFINITY
  #told = false
  #deadline: Timer | undefined

  constructor(options: LeaderElectionOptions) {
    this.#options = options
    this.#timing = options.timing ?? defaultTiming
  }

  get isLeader(): boolean {
    return this.#options.clock.monotonic() < this.#leadsUntil
  }

  get holder(): string | undefined {
    return this.#observed?.lease.spec.holderIdentity || undefined
  }

  onChange(handler: (isLeader: boolean) => void): () => void {
    this.#handlers.add(handler)
    return () => void this.#handlers.delete(handler)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random = Math.random } = this.#options
    const { retryPeriodMs } = this.#timing
    while (!signal.aborted) {
      await this.#attempt(signal)
      const waitMs = this.isLeader ? retryPeriodMs : retryPeriodMs * (1 + JITTER * random())
      await sleep(clock, waitMs, signal)
    }
    await this.#release()
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const { clock, log, lease } = this.#options
    const sentAt = clock.monotonic()
    const limitMs = this.isLeader ? this.#leadsUntil - sentAt : this.#timing.renewDeadlineMs
    try {
      const outcome = await this.#within(limitMs, signal, (limited) => this.#acquireOrRenew(limited))
      if (outcome === 'ours') this.#lead(sentAt + this.#timing.renewDeadlineMs)
      if (outcome === 'others') this.#stepDown()
    } catch (error) {
      if (!signal.aborted) log.debug('the lease could not be had', { lease: lease.name, error: errorMessage(error) })
    }
  }

  /** A request that hangs must not keep the next one from being tried. */
  async #within<T>(limitMs: number, signal: AbortSignal, use: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    const timer = this.#options.clock.setTimer(() => limit.abort(), limitMs)
    const abort = (): void => limit.abort()
    signal.addEventListener('abort', abort, { once: true })
    const ended = aborted(limit.signal).then(() => {
      throw new Error('no answer in time')
    })
    try {
      return await Promise.race([use(limit.signal), ended])
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', abort)
      ended.catch(() => {})
    }
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<Outcome> {
    const holder = this.#holder()
    if (this.isLeader && this.#observed !== undefined) {
      try {
        return await this.#update(renewed(this.#observed.lease, holder), signal)
      } catch (error) {
        // Somebody wrote to it: look what it says now.
        if (!isConflict(error) && !isNotFound(error)) throw error
      }
    }
    const present = await this.#read(signal)
    if (present === undefined) return this.#create(holder, signal)
    this.#observe(present)
    if (this.#isOthers(present)) return 'others'
    const next = present.spec.holderIdentity === holder.identity ? renewed(present, holder) : acquired(present, holder)
    return this.#update(next, signal).catch((error: unknown) => {
      if (isConflict(error)) return 'undecided'
      throw error
    })
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    try {
      return await this.#options.client.get(leaseKind, this.#options.lease, { signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async #create(holder: Holder, signal: AbortSignal): Promise<Outcome> {
    const { client, lease: metadata } = this.#options
    const first: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: {} }
    const { spec } = acquired(first, holder)
    try {
      this.#observe(await client.create(leaseKind, { ...first, spec: { ...spec, leaseTransitions: 0 } }, { signal }))
      return 'ours'
    } catch (error) {
      if (isAlreadyExists(error)) return 'undecided'
      throw error
    }
  }

  async #update(lease: Lease, signal: AbortSignal): Promise<Outcome> {
    this.#observe(await this.#options.client.update(leaseKind, lease, { signal }))
    return 'ours'
  }

  /** The lease runs from the moment that a change was seen here; what its writer's clock said counts for nothing. */
  #observe(lease: Lease): void {
    if (this.#observed?.lease.metadata.resourceVersion === lease.metadata.resourceVersion) return
    this.#observed = { lease, at: this.#options.clock.monotonic() }
  }

  #isOthers({ spec }: Lease): boolean {
    const { identity, clock } = this.#options
    if (!spec.holderIdentity || spec.holderIdentity === identity) return false
    const durationMs = (spec.leaseDurationSeconds ?? 0) * 1_000
    return clock.monotonic() < (this.#observed?.at ?? 0) + durationMs
  }

  #holder(): Holder {
    const { identity, clock } = this.#options
    return { identity, nowMs: clock.now(), leaseDurationMs: this.#timing.leaseDurationMs }
  }

  #lead(untilMs: number): void {
    const { clock } = this.#options
    this.#leadsUntil = untilMs
    this.#deadline?.cancel()
    this.#deadline = clock.setTimer(() => this.#stepDown(), untilMs - clock.monotonic())
    // An answer that was as long under way as the deadline is worth nothing.
    this.#tell(this.isLeader)
  }

  #stepDown(): void {
    this.#deadline?.cancel()
    this.#leadsUntil = Number.NEGATIVE_INFINITY
    this.#tell(false)
  }

  #tell(isLeader: boolean): void {
    if (isLeader === this.#told) return
    this.#told = isLeader
    const { log, lease, identity } = this.#options
    log.info(isLeader ? 'this process leads' : 'this process leads no more', {
      lease: `${lease.namespace}/${lease.name}`,
      identity,
    })
    for (const handler of [...this.#handlers]) handler(isLeader)
  }

  /** The next leader need not wait for the lease to run out. */
  async #release(): Promise<void> {
    const wasLeader = this.isLeader
    this.#stepDown()
    if (!wasLeader) return
    const never = new AbortController().signal
    await this.#within(RELEASE_TIMEOUT_MS, never, async (signal) => {
      for (let tries = 1; ; tries++) {
        const present = await this.#read(signal)
        if (present?.spec.holderIdentity !== this.#options.identity) return
        try {
          await this.#update(released(present, this.#options.clock.now()), signal)
          return
        } catch (error) {
          // A renewal that was under way when the stop came.
          if (!isConflict(error) || tries === RELEASE_TRIES) throw error
        }
      }
    }).catch((error: unknown) => this.#options.log.debug('the lease was not given back', { error: errorMessage(error) }))
  }
}
