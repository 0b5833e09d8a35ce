import { constants } from 'node:os'
import type { Probe } from '../../api/index.ts'
import { sleep, type Timer } from '../../base/index.ts'
import { type HandlerTarget, tryHandler } from '../probe/handlers.ts'
import type { HandlerOutcome } from '../probe/outcome.ts'
import { startProber } from '../probe/prober.ts'
import type { ContainerProcess } from '../runtime/runtime.ts'
import type { PodDeps } from './pod-deps.ts'

/** SIGTERM is followed by SIGKILL no sooner than this, unless the deletion is forced (as the kubelet has it). */
const MIN_STOP_MS = 2000

/** SIGTERM waits at most this long until nobody sends the container new connections, so that it never closes its port on one, also without a preStop hook. */
const WITHDRAWAL_LIMIT_MS = 2000

/** What a run tells of itself. */
export interface RunEvents {
  /** The startup probe has passed. */
  started(): void
  ready(ready: boolean): void
  /** The run has to end and a new one to follow. */
  unhealthy(graceSeconds: number | undefined): void
  event(reason: string, message: string): void
}

export interface RunOptions {
  readonly deps: PodDeps
  readonly target: HandlerTarget
  readonly process: ContainerProcess
  readonly events: RunEvents
}

/** One run of a container: its hooks, probes and graceful end. */
export class Run {
  readonly #options: RunOptions
  /** Ends with the process. */
  readonly #life = new AbortController()
  /** Startup and liveness probes end as soon as the run shall end; readiness goes on, since draining endpoints may still serve. */
  readonly #health = new AbortController()
  #deadlineMs = Number.POSITIVE_INFINITY
  #stopping = false
  #asked = false
  #timer: Timer | undefined

  constructor(options: RunOptions) {
    this.#options = options
    void this.#begin()
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** The process has ended. */
  end(): void {
    this.#timer?.cancel()
    this.#health.abort()
    this.#life.abort()
  }

  /** Ends the process by `deadlineMs`, at once when that is past; an earlier deadline of a later call wins. `isEndpoint`: traffic has to leave first. */
  stop(deadlineMs: number, isEndpoint = false): void {
    const { clock } = this.#options.deps
    if (deadlineMs >= this.#deadlineMs) return
    this.#deadlineMs = deadlineMs
    this.#timer?.cancel()
    const leftMs = deadlineMs - clock.now()
    const first = !this.#stopping
    this.#stopping = true
    this.#health.abort()
    if (leftMs <= 0) {
      this.#options.process.kill()
      return
    }
    this.#timer = clock.setTimer(() => this.#atDeadline(), leftMs)
    if (first) void this.#stopGracefully(isEndpoint ? Math.min(WITHDRAWAL_LIMIT_MS, leftMs) : 0)
  }

  async #begin(): Promise<void> {
    const { target, events } = this.#options
    const { lifecycle, startupProbe } = target.container
    if (lifecycle?.postStart) {
      const outcome = await this.#hook(lifecycle.postStart, HOOK_LIMIT_MS)
      if (!outcome.ok && !this.#life.signal.aborted) {
        events.event('FailedPostStartHook', `PostStartHook failed: ${outcome.output}`)
        events.unhealthy(undefined)
        return
      }
    }
    if (startupProbe === undefined) return this.#watchHealth()
    const startup = new AbortController()
    this.#probe('Startup', startupProbe, AbortSignal.any([startup.signal, this.#health.signal]), (ok) => {
      if (!ok) return events.unhealthy(startupProbe.terminationGracePeriodSeconds)
      startup.abort()
      events.started()
      this.#watchHealth()
    })
  }

  #watchHealth(): void {
    const { target, events } = this.#options
    const { readinessProbe, livenessProbe } = target.container
    if (readinessProbe) this.#probe('Readiness', readinessProbe, this.#life.signal, (ok) => events.ready(ok))
    if (livenessProbe) {
      this.#probe('Liveness', livenessProbe, this.#health.signal, (ok) => {
        if (!ok) events.unhealthy(livenessProbe.terminationGracePeriodSeconds)
      })
    }
  }

  #probe(name: string, probe: Probe, signal: AbortSignal, onResult: (ok: boolean) => void): void {
    const { deps, target, events } = this.#options
    startProber({
      probe,
      target,
      clock: deps.clock,
      signal,
      eager: name !== 'Liveness',
      onResult: (result) => onResult(result === 'success'),
      onFailedTry: (output) => events.event('Unhealthy', `${name} probe failed: ${output}`),
    })
  }

  async #stopGracefully(withdrawalLimitMs: number): Promise<void> {
    const { target, events, deps } = this.#options
    const withdrawn = this.#withdrawal(withdrawalLimitMs)
    const preStop = target.container.lifecycle?.preStop
    if (preStop) {
      const outcome = await this.#hook(preStop, this.#deadlineMs - deps.clock.now())
      if (!outcome.ok && !this.#life.signal.aborted) events.event('FailedPreStopHook', `PreStopHook failed: ${outcome.output}`)
    }
    await withdrawn
    if (!this.#asked) await this.#ask()
  }

  /** Traffic leaves while preStop runs. */
  async #withdrawal(limitMs: number): Promise<void> {
    const { target, deps } = this.#options
    if (limitMs <= 0 || deps.traffic === undefined) return
    const over = new AbortController()
    const signal = AbortSignal.any([this.#life.signal, over.signal])
    await Promise.race([deps.traffic.withdrawn(target.address, signal), sleep(deps.clock, limitMs, signal)])
    over.abort()
  }

  async #ask(): Promise<void> {
    this.#asked = true
    if (this.#life.signal.aborted) return
    await this.#options.process.stop(stopSignal(this.#options.target.container.lifecycle?.stopSignal))
  }

  #atDeadline(): void {
    const { process, deps } = this.#options
    if (this.#asked) {
      process.kill()
      return
    }
    // The preStop hook took the whole grace period.
    void this.#ask()
    this.#timer = deps.clock.setTimer(() => process.kill(), MIN_STOP_MS)
  }

  async #hook(
    hook: NonNullable<NonNullable<HandlerTarget['container']['lifecycle']>['preStop']>,
    timeoutMs: number,
  ): Promise<HandlerOutcome> {
    const { deps, target } = this.#options
    const { clock } = deps
    const signal = this.#life.signal
    if (hook.sleep === undefined) return tryHandler(hook, target, { timeoutMs, clock, signal })
    await sleep(clock, Math.min(hook.sleep.seconds * 1000, timeoutMs), signal)
    return { ok: true, output: '' }
  }
}

/** A postStart hook has no limit in Kubernetes; a hung one must not be forgotten for ever. */
const HOOK_LIMIT_MS = 600_000

const stopSignal = (name: string | undefined): NodeJS.Signals => (isSignal(name) ? name : 'SIGTERM')

const isSignal = (name: string | undefined): name is NodeJS.Signals =>
  name !== undefined && Object.hasOwn(constants.signals, name)
