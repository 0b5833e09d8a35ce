import { type Clock, createBackoff, type Timer } from '../../base/index.ts'
import type { EngineStats } from '../stats.ts'
import type { ToWorker } from './protocol.ts'
import { WorkerProcess, type WorkerProcessOptions } from './worker-process.ts'

export interface WorkerSlotOptions extends Omit<WorkerProcessOptions, 'onExit'> {
  readonly clock: Clock
  onExit(fields: { readonly pid: number | undefined; readonly code: number | null; readonly signal: string | null }): void
}

/** A worker that lived this long begins a new back-off when it ends. */
const HEALTHY_MS = 10_000

/** A place for one worker process: keeps one running there, with the current table. */
export class WorkerSlot {
  readonly #options: WorkerSlotOptions
  readonly #backoff = createBackoff({ initialMs: 50, maxMs: 5_000 })
  /** Workers that were replaced and finish their requests. */
  readonly #leaving = new Map<WorkerProcess, Promise<void>>()
  #worker: WorkerProcess | undefined
  #next: WorkerProcess | undefined
  #restart: Timer | undefined
  #startedMs = 0
  #isStopping = false

  constructor(options: WorkerSlotOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#worker?.pid
  }

  /** The last update that the present worker serves; -1 while it starts. */
  get applied(): number {
    return this.#worker?.applied ?? -1
  }

  /** Resolves when the worker accepts connections; rejects when it cannot. Later crashes restart it. */
  start(): Promise<void> {
    this.#worker = this.#fork()
    return this.#worker.serving
  }

  send(message: ToWorker): void {
    this.#worker?.send(message)
    this.#next?.send(message)
    for (const worker of this.#leaving.keys()) worker.send(message)
  }

  stats(): Promise<EngineStats | undefined> {
    return this.#worker?.stats() ?? Promise.resolve(undefined)
  }

  /** Puts a new worker in the place; the old one is drained when the new one serves, and stays when it cannot. */
  async replace(drainTimeoutMs: number): Promise<void> {
    if (this.#isStopping) return
    const next = this.#fork()
    this.#next = next
    try {
      await next.serving
    } finally {
      this.#next = undefined
    }
    const previous = this.#worker
    this.#restart?.cancel()
    this.#worker = next
    this.#options.onApplied()
    if (previous === undefined) return
    const left = previous.stop(drainTimeoutMs).finally(() => this.#leaving.delete(previous))
    this.#leaving.set(previous, left)
    await left
  }

  /** Drains the worker and ends it; kills it when it overstays. */
  async stop(drainTimeoutMs: number): Promise<void> {
    this.#isStopping = true
    this.#restart?.cancel()
    await Promise.all([this.#worker?.stop(drainTimeoutMs), this.#next?.stop(0), ...this.#leaving.values()])
  }

  #fork(): WorkerProcess {
    this.#startedMs = this.#options.clock.monotonic()
    const worker: WorkerProcess = new WorkerProcess({
      ...this.#options,
      onExit: (code, signal) => this.#onExit(worker, code, signal),
    })
    return worker
  }

  #onExit(worker: WorkerProcess, code: number | null, signal: string | null): void {
    if (this.#worker !== worker || this.#isStopping) return
    this.#options.onExit({ pid: worker.pid, code, signal })
    if (this.#options.clock.monotonic() - this.#startedMs > HEALTHY_MS) this.#backoff.reset()
    this.#restart = this.#options.clock.setTimer(() => {
      this.#worker = this.#fork()
    }, this.#backoff.next())
  }
}
