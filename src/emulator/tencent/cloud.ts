import { randomBytes, randomUUID } from 'node:crypto'
import { type Clock, errorMessage, type Logger, type Timer } from '../../base/index.ts'
import { actionNamed, type Context, isRegional, type Outcome } from './actions/index.ts'
import type { Calls } from './calls.ts'
import type { Certificates } from './certificates.ts'
import { CloudError } from './errors.ts'
import type { ActiveFault, Faults } from './faults.ts'
import type { Forwarding } from './forwarding/contract.ts'
import type { Inventory } from './inventory.ts'
import type { Journal } from './journal.ts'
import type { Task } from './model.ts'
import type { Quotas } from './quotas.ts'
import type { RateLimit } from './rate-limit.ts'
import { type Event, evolve, runningTasks, type State, settle } from './state.ts'
import type { VipPool } from './vip-pool.ts'

export interface CloudDeps {
  readonly region: string
  readonly uin: string
  readonly inventory: Inventory
  readonly quotas: Quotas
  readonly isDomainType: boolean
  /** How long a task takes. */
  readonly taskMs: number
  readonly journal: Journal
  readonly certificates: Certificates
  readonly forwarding: Forwarding
  readonly vips: VipPool
  readonly faults: Faults
  readonly rateLimit: RateLimit
  readonly calls: Calls
  readonly clock: Clock
  readonly log: Logger
}

interface Call {
  readonly version: string
  readonly action: string
  readonly region: string | undefined
  readonly request: unknown
}

/** What became of a call, before it is answered. */
type Reply =
  | { readonly kind: 'answer'; readonly response: Readonly<Record<string, unknown>>; readonly delayMs: number }
  | { readonly kind: 'outage'; readonly status: number }
  | { readonly kind: 'cut' }

/** The cloud behind its endpoint: decides, keeps, and carries tasks to their end. */
export interface Cloud {
  /** `authenticate` throws for a caller that isn't one. */
  call(call: Call, authenticate: () => void): Reply
  state(): State
  /** Makes traffic follow what is outside of the state, such as a new certificate. */
  refresh(loadBalancerId: string): void
  /** Opens what listened before a restart, and goes on with its tasks. */
  resume(): Promise<void>
  /** Resolves when the tasks at work are done with the sockets; their rest is resumed at the next start. */
  stop(): Promise<void>
}

export const createCloud = (deps: CloudDeps): Cloud => new TencentCloud(deps)

class TencentCloud implements Cloud {
  readonly #deps: CloudDeps
  readonly #timers = new Set<Timer>()
  readonly #atWork = new Set<Promise<void>>()
  /** Tasks that a fault makes fail, and what they say. */
  readonly #doomed = new Map<string, string>()
  #state: State
  #isStopped = false

  constructor(deps: CloudDeps) {
    this.#deps = deps
    this.#state = deps.journal.state
  }

  state(): State {
    return this.#state
  }

  call(call: Call, authenticate: () => void): Reply {
    const faults = this.#deps.faults.meet(call.action)
    const has = (kind: ActiveFault['kind']): ActiveFault | undefined => faults.find((fault) => fault.kind === kind)
    const outage = has('outage')
    if (outage !== undefined) return this.#counted(call, { kind: 'outage', status: outage.status ?? 503 }, 'outage')
    if (has('drop-request') !== undefined) return this.#counted(call, { kind: 'cut' }, 'lost')
    const requestId = randomUUID()
    const delayMs = faults.reduce((sum, { kind, ms = 1_000 }) => sum + (kind === 'latency' ? ms : 0), 0)
    try {
      authenticate()
      const { response } = this.#decide(call, requestId, faults)
      if (has('lose-response') !== undefined) return this.#counted(call, { kind: 'cut' }, 'lost')
      return this.#counted(call, { kind: 'answer', response: { ...response, RequestId: requestId }, delayMs })
    } catch (error) {
      const { code, message } = this.#told(error, call)
      const response = { Error: { Code: code, Message: message }, RequestId: requestId }
      return this.#counted(call, { kind: 'answer', response, delayMs }, code)
    }
  }

  #counted(call: Call, reply: Reply, error?: string): Reply {
    this.#deps.calls.count(call.action, error)
    return reply
  }

  #told(error: unknown, { action }: Call): { readonly code: string; readonly message: string } {
    if (error instanceof CloudError) return error
    this.#deps.log.error('action failed', { action, error: errorMessage(error) })
    return { code: 'InternalError', message: 'An internal error has occurred. Please retry later.' }
  }

  #decide(call: Call, requestId: string, faults: readonly ActiveFault[]): Outcome {
    const action = actionNamed(call.version, call.action)
    for (const { kind, code, message } of faults) {
      if (kind === 'throttle') throw tooMany(call.action)
      if (kind === 'error') throw new CloudError(code ?? 'InternalError', message ?? 'A fault was asked for.')
    }
    if (call.region !== this.#deps.region && (call.region !== undefined || isRegional(call.version)))
      throw new CloudError('InvalidParameter.RegionNotFound', `The region here is ${this.#deps.region}.`)
    if (!this.#deps.rateLimit.admit(call.action)) throw tooMany(call.action)
    const outcome = action.run(this.#state, call.request, this.#context(requestId, faults))
    const failure = faults.find(({ kind }) => kind === 'fail-task')
    if (failure !== undefined) this.#doomed.set(requestId, failure.message ?? 'A fault was asked for.')
    this.#commit(outcome.events)
    for (const event of outcome.events) {
      if ('task' in event && event.to?.status === 'running') this.#schedule(event.to)
      // Writes without a task take effect at once.
      if ('loadBalancer' in event && event.to?.isReady) this.#apply(event.loadBalancer)
    }
    return outcome
  }

  #context(requestId: string, faults: readonly ActiveFault[]): Context {
    const { region, uin, inventory, quotas, isDomainType, certificates, forwarding, vips, clock } = this.#deps
    const partial = faults.find(({ kind }) => kind === 'partial')
    return {
      now: clock.now(),
      requestId,
      region,
      uin,
      inventory,
      quotas,
      isDomainType,
      newId: (prefix) => `${prefix}-${randomBytes(4).toString('hex')}`,
      freeVip: vips,
      hasCertificate: (id) => certificates.get(id) !== undefined,
      healthOf: (group, target) => forwarding.healthOf(group, target),
      failingListeners: partial === undefined ? 0 : (partial.listeners ?? 1),
    }
  }

  #commit(events: readonly Event[]): void {
    if (events.length === 0) return
    const after = evolve(this.#state, events)
    this.#deps.journal.append(events, after)
    this.#state = after
  }

  #schedule(task: Task): void {
    const timer = this.#deps.clock.setTimer(() => {
      this.#timers.delete(timer)
      this.#track(this.#finish(task))
    }, this.#deps.taskMs)
    this.#timers.add(timer)
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#deps.log.error('task failed', { error: errorMessage(error) }))
      .finally(() => this.#atWork.delete(tracked))
    this.#atWork.add(tracked)
  }

  /** The ports are had before the task succeeds: a client that reads success can connect. */
  async #finish(task: Task): Promise<void> {
    const doom = this.#doomed.get(task.id)
    this.#doomed.delete(task.id)
    const failure = doom ?? (await this.#prepare(task))
    if (this.#isStopped) return
    // Of a creation the journal may hold changes that came after the task began: none, as the lock is held; tags are apart.
    this.#commit(settle(this.#state, task.id, failure))
    for (const id of task.loadBalancerIds) await this.#deps.forwarding.apply(id, this.#state.loadBalancers.get(id) ?? null)
  }

  async #prepare({ outcome = {} }: Task): Promise<string | undefined> {
    try {
      for (const next of Object.values(outcome)) if (next !== null) await this.#deps.forwarding.prepare(next)
      return undefined
    } catch (error) {
      return errorMessage(error)
    }
  }

  #apply(id: string): void {
    this.#track(this.#deps.forwarding.apply(id, this.#state.loadBalancers.get(id) ?? null))
  }

  refresh(loadBalancerId: string): void {
    this.#apply(loadBalancerId)
  }

  async resume(): Promise<void> {
    for (const one of this.#state.loadBalancers.values()) await this.#deps.forwarding.apply(one.id, one)
    for (const task of runningTasks(this.#state)) this.#schedule(task)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
    await Promise.all(this.#atWork)
    await this.#deps.forwarding.close()
    this.#deps.journal.close()
  }
}

const tooMany = (action: string): CloudError =>
  new CloudError('RequestLimitExceeded', `The request limit of ${action} is exceeded. Please retry later.`)
