import { constants } from 'node:os'
import type { Container as ContainerSpec, ContainerStatus, Pod } from '../../api/index.ts'
import { errorMessage } from '../../base/index.ts'
import type { ExitStatus } from '../../host/index.ts'
import type { ContainerLog } from '../logs/container-log.ts'
import type { ContainerProcess, StartRequest } from '../runtime/runtime.ts'
import { restartDelay, retryDelay } from './backoff.ts'
import type { StopReason } from './desired.ts'
import type { PodDeps } from './pod-deps.ts'
import { Run, type RunEvents } from './run.ts'
import type { ContainerPhase, ContainerSnapshot, Termination } from './snapshot.ts'

/** What a container needs of its pod. */
export interface ContainerOwner {
  readonly deps: PodDeps
  /** The pod as it is now. */
  pod(): Pod
  address(): string
  /** Something about the container changed. */
  changed(): void
  openLog(container: string, run: number): ContainerLog
}

/** How a container is to be started, or why it can't be. */
export type Start =
  | { readonly kind: 'ready'; readonly request: StartRequest; readonly imageID: string }
  | { readonly kind: 'waiting'; readonly cause: 'image' | 'config'; readonly message: string }

/** One container of a pod over all its runs: starts, probes and stops its process, and knows its state. Decides nothing. */
export class Container {
  readonly spec: ContainerSpec
  readonly #owner: ContainerOwner
  #phase: ContainerPhase = { kind: 'waiting', reason: 'ContainerCreating' }
  #last: Termination | undefined
  #restartCount = 0
  #everStarted = false
  /** The wait before the present run; undefined for the first run. */
  #backoffMs: number | undefined
  #started = false
  #ready = false
  #imageID = ''
  #failures = 0
  #stopWanted: ContainerSnapshot['stopWanted']
  #run: Run | undefined
  #log: ContainerLog | undefined

  /** `status` is what an earlier run of the node wrote: what ran then has ended. */
  constructor(spec: ContainerSpec, owner: ContainerOwner, status?: ContainerStatus) {
    this.spec = spec
    this.#owner = owner
    if (status) this.#restore(status)
  }

  snapshot(): ContainerSnapshot {
    return {
      phase: this.#phase,
      ...(this.#last === undefined ? {} : { last: this.#last }),
      restartCount: this.#restartCount,
      started: this.#started,
      ready: this.#ready,
      imageID: this.#imageID,
      ...(this.#stopWanted === undefined ? {} : { stopWanted: this.#stopWanted }),
    }
  }

  get isRunning(): boolean {
    return this.#run !== undefined
  }

  /** The log of the present or latest run of this node. */
  get log(): ContainerLog | undefined {
    return this.#log
  }

  get restartCount(): number {
    return this.#restartCount
  }

  /** Something that the container waits for may be there now: the next decision may start it. */
  retryNow(): void {
    if (this.#phase.kind === 'waiting') this.#phase = { ...this.#phase, retryAtMs: undefined }
  }

  async start(start: Start): Promise<void> {
    if (this.#run) return
    if (start.kind === 'waiting') return this.#wait(start.cause, start.message)
    this.#failures = 0
    const restart = this.#everStarted
    const ended = this.#phase.kind === 'terminated' ? this.#phase : undefined
    const log = this.#owner.openLog(this.spec.name, this.#restartCount + (restart ? 1 : 0))
    try {
      const process = await this.#owner.deps.runtime.start(start.request)
      if (restart) this.#restartCount++
      if (ended) this.#backoffMs = ended.backoffMs
      this.#last = ended?.end ?? this.#last
      this.#begin(process, log, start.imageID)
    } catch (error) {
      log.close()
      this.#event('Warning', 'Failed', `Error: failed to start container "${this.spec.name}": ${errorMessage(error)}`)
      this.#wait('config', errorMessage(error), 'RunContainerError')
    }
    this.#owner.changed()
  }

  /** Ends the run by `deadlineMs` at the latest; an earlier deadline of a later call wins. */
  stop(deadlineMs: number, why: StopReason): void {
    const run = this.#run
    if (run === undefined) return
    const first = !run.stopping
    if (this.#phase.kind === 'running') this.#phase = { ...this.#phase, stopping: true }
    run.stop(deadlineMs, this.#ready && this.#owner.pod().metadata.deletionTimestamp !== undefined)
    if (first) this.#event('Normal', 'Killing', STOP_MESSAGES[why].replace('NAME', this.spec.name))
  }

  #restore(status: ContainerStatus): void {
    const { deps } = this.#owner
    this.#restartCount = status.restartCount
    this.#imageID = status.imageID
    const { state, lastState } = status
    if (lastState?.terminated) this.#last = readTermination(lastState.terminated)
    if (state?.waiting && lastState?.terminated === undefined) return
    this.#everStarted = true
    this.#backoffMs = 0
    const now = deps.clock.now()
    if (state?.terminated) this.#phase = { kind: 'terminated', end: readTermination(state.terminated), backoffMs: 0 }
    else if (state?.running) {
      const startedAtMs = Date.parse(state.running.startedAt ?? '') || now
      const message = 'the node was restarted and took the container along'
      const end = {
        exitCode: KILLED,
        reason: 'Error',
        message,
        startedAtMs,
        finishedAtMs: now,
        containerID: status.containerID ?? '',
      }
      this.#phase = { kind: 'terminated', end, backoffMs: 0 }
    }
  }

  #wait(cause: 'image' | 'config', message: string, reason?: string): void {
    this.#failures++
    const delay = retryDelay(this.#failures)
    const first = this.#failures === 1
    if (cause === 'image' && first) {
      this.#event('Warning', 'Failed', `Failed to pull image "${this.spec.image}": ${message}`)
      this.#event('Warning', 'Failed', 'Error: ErrImagePull')
    } else if (cause === 'image') {
      this.#event('Normal', 'BackOff', `Back-off pulling image "${this.spec.image}": ${message}`)
    } else if (reason === undefined) this.#event('Warning', 'Failed', `Error: ${message}`)
    const shown = cause === 'image' ? (first ? 'ErrImagePull' : 'ImagePullBackOff') : (reason ?? 'CreateContainerConfigError')
    if (this.#phase.kind === 'terminated') this.#last = this.#phase.end
    this.#phase = { kind: 'waiting', reason: shown, message, retryAtMs: this.#owner.deps.clock.now() + delay }
    this.#owner.changed()
  }

  #begin(process: ContainerProcess, log: ContainerLog, imageID: string): void {
    const { clock } = this.#owner.deps
    const startedAtMs = clock.now()
    const containerID = `fairway://${this.#owner.pod().metadata.uid}-${this.spec.name}-${this.#restartCount}`
    this.#everStarted = true
    this.#imageID = imageID
    this.#log = log
    this.#phase = { kind: 'running', startedAtMs, containerID, stopping: false }
    this.#started = this.spec.startupProbe === undefined
    this.#ready = this.spec.readinessProbe === undefined
    this.#stopWanted = undefined
    this.#event('Normal', 'Started', `Started container ${this.spec.name}`)
    const target = { address: this.#owner.address(), container: this.spec, run: process.run }
    const run = new Run({ deps: this.#owner.deps, target, process, events: this.#events() })
    this.#run = run
    void Promise.all([process.exited, record(process, log, this.#owner.deps)]).then(([status]) => {
      log.close()
      run.end()
      this.#run = undefined
      this.#finish(status, { startedAtMs, containerID })
      this.#owner.changed()
    })
  }

  #finish(status: ExitStatus, run: { readonly startedAtMs: number; readonly containerID: string }): void {
    const finishedAtMs = this.#owner.deps.clock.now()
    const exitCode = status.kind === 'exited' ? status.code : SIGNAL_BASE + (constants.signals[status.signal] ?? 0)
    const end = { ...run, exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', finishedAtMs }
    const backoffMs = restartDelay(this.#backoffMs, finishedAtMs - run.startedAtMs)
    this.#phase = { kind: 'terminated', end, backoffMs }
    this.#started = false
    this.#ready = false
    this.#stopWanted = undefined
    if (backoffMs > 0) this.#event('Warning', 'BackOff', `Back-off restarting failed container ${this.spec.name}`)
  }

  #events(): RunEvents {
    return {
      started: () => {
        this.#started = true
        this.#owner.changed()
      },
      ready: (ready) => {
        if (this.#ready === ready) return
        this.#ready = ready
        this.#owner.changed()
      },
      unhealthy: (graceSeconds) => {
        this.#stopWanted ??= { graceSeconds }
        this.#owner.changed()
      },
      event: (reason, message) => this.#event('Warning', reason, message),
    }
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#owner.deps.recorder.event(this.#owner.pod(), { type, reason, message })
  }
}

const SIGNAL_BASE = 128
const KILLED = 137

const STOP_MESSAGES: Readonly<Record<StopReason, string>> = {
  deleted: 'Stopping container NAME',
  unhealthy: 'Container NAME failed its probe, will be restarted',
  deadline: 'Stopping container NAME',
}

const record = async (process: ContainerProcess, log: ContainerLog, { clock }: PodDeps): Promise<void> => {
  // A stream that breaks ends like one that closes.
  const quietly = (recorded: Promise<void>): Promise<void> => recorded.catch(() => {})
  await Promise.all([quietly(log.record(process.stdout, 'stdout', clock)), quietly(log.record(process.stderr, 'stderr', clock))])
}

const readTermination = (state: NonNullable<NonNullable<ContainerStatus['state']>['terminated']>): Termination => ({
  exitCode: state.exitCode,
  ...(state.signal === undefined ? {} : { signal: state.signal }),
  reason: state.reason ?? 'Error',
  ...(state.message === undefined ? {} : { message: state.message }),
  startedAtMs: Date.parse(state.startedAt ?? '') || 0,
  finishedAtMs: Date.parse(state.finishedAt ?? '') || 0,
  containerID: state.containerID ?? '',
})
