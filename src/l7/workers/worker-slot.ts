import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Clock, createBackoff, type Timer } from '../../base/index.ts'
import type { EngineStats } from '../stats.ts'
import type { TableDelta } from '../table/index.ts'
import type { ListenHandle } from './listen-handle.ts'
import type { FromWorker, ToWorker } from './protocol.ts'

export interface WorkerSlotOptions {
  readonly start: ToWorker & { readonly type: 'start' }
  readonly handles: { readonly http?: ListenHandle; readonly https?: ListenHandle }
  readonly clock: Clock
  /** The table as it is now, whole. */
  table(): { readonly sequence: number; readonly delta: TableDelta }
  onApplied(): void
  onMessage(message: FromWorker): void
  onExit(fields: { readonly pid: number | undefined; readonly code: number | null; readonly signal: string | null }): void
}

/** A worker that lived this long begins a new back-off when it ends. */
const HEALTHY_MS = 10_000
const STATS_TIMEOUT_MS = 2_000
const STOP_GRACE_MS = 2_000

/** A place for one worker process: keeps one running there, with the current table. */
export class WorkerSlot {
  /** The last update that the present worker serves; -1 while it starts. */
  applied = -1
  readonly #options: WorkerSlotOptions
  readonly #backoff = createBackoff({ initialMs: 50, maxMs: 5_000 })
  readonly #statsWaiters = new Map<number, (stats: EngineStats | undefined) => void>()
  #child: ChildProcess | undefined
  #restart: Timer | undefined
  #startedMs = 0
  #statsSequence = 0
  #toListen = 0
  #isStopping = false
  #hasTable = false
  #tableSequence = -1
  #whenServing: { resolve(): void; reject(error: Error): void } | undefined

  constructor(options: WorkerSlotOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves when the worker accepts connections; rejects when it cannot. Later crashes restart it. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#whenServing = { resolve, reject }
      this.#fork()
    })
  }

  /** Passes an update on; a worker that is still starting gets the whole table instead. */
  send(message: ToWorker): void {
    if (this.#hasTable) this.#post(message)
  }

  stats(): Promise<EngineStats | undefined> {
    return new Promise((resolve) => {
      const sequence = ++this.#statsSequence
      const finish = (stats: EngineStats | undefined): void => {
        timer.cancel()
        this.#statsWaiters.delete(sequence)
        resolve(stats)
      }
      const timer = this.#options.clock.setTimer(() => finish(undefined), STATS_TIMEOUT_MS)
      this.#statsWaiters.set(sequence, finish)
      if (!this.#hasTable || !this.#post({ type: 'stats', sequence })) finish(undefined)
    })
  }

  /** Drains the worker and ends it; kills it when it overstays. */
  stop(drainTimeoutMs: number): Promise<void> {
    this.#isStopping = true
    this.#restart?.cancel()
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => {
      const kill = this.#options.clock.setTimer(() => child.kill('SIGKILL'), drainTimeoutMs + STOP_GRACE_MS)
      child.once('exit', () => {
        kill.cancel()
        resolve()
      })
      if (!this.#post({ type: 'stop' })) child.kill('SIGKILL')
    })
  }

  #fork(): void {
    const { path, execArgv } = workerEntry()
    this.#startedMs = this.#options.clock.monotonic()
    this.#hasTable = false
    this.applied = -1
    const child = fork(path, [], {
      execArgv: [...execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    child.on('message', (message) => this.#onMessage(message as FromWorker))
    child.on('error', () => {})
    child.once('exit', (code, signal) => this.#onExit(child, code, signal))
  }

  #onMessage(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#initialise()
        return
      case 'applied':
        this.#tableSequence = message.sequence
        this.#advance()
        return
      case 'listening':
        this.#toListen--
        this.#advance()
        return
      case 'listen-failed':
        this.#onListenFailed(message)
        return
      case 'stats':
        this.#statsWaiters.get(message.sequence)?.(message.stats)
        return
      default:
        this.#options.onMessage(message)
        return
    }
  }

  #initialise(): void {
    const { start, handles } = this.#options
    const ports = (['http', 'https'] as const).filter((port) => handles[port] !== undefined)
    this.#toListen = ports.length
    this.#tableSequence = -1
    this.#post(start)
    this.#post({ type: 'update', ...this.#options.table() })
    this.#hasTable = true
    for (const port of ports) this.#post({ type: 'listen', port }, handles[port]?.native)
  }

  #advance(): void {
    if (this.#toListen > 0 || this.#tableSequence === -1) return
    this.applied = this.#tableSequence
    this.#whenServing?.resolve()
    this.#whenServing = undefined
    this.#options.onApplied()
  }

  #onListenFailed(message: FromWorker & { readonly type: 'listen-failed' }): void {
    const error = Object.assign(new Error(`cannot listen (${message.code})`), { code: message.code, port: message.port })
    this.#whenServing?.reject(error)
    this.#whenServing = undefined
    this.#child?.kill('SIGKILL')
  }

  #onExit(child: ChildProcess, code: number | null, signal: string | null): void {
    if (this.#child !== child) return
    this.#hasTable = false
    this.applied = -1
    for (const finish of [...this.#statsWaiters.values()]) finish(undefined)
    if (this.#isStopping) return
    this.#options.onExit({ pid: child.pid, code, signal })
    if (this.#options.clock.monotonic() - this.#startedMs > HEALTHY_MS) this.#backoff.reset()
    this.#restart = this.#options.clock.setTimer(() => this.#fork(), this.#backoff.next())
  }

  #post(message: ToWorker, handle?: unknown): boolean {
    const child = this.#child
    if (child?.connected !== true) return false
    // A bound handle is what cluster sends too; the types know only sockets and servers.
    child.send(message, handle as SendHandle | undefined, { keepOpen: true }, () => {})
    return true
  }
}

/** worker.js beside this file when built; worker.ts through tsx in development and tests. */
const workerEntry = (): { readonly path: string; readonly execArgv: readonly string[] } => {
  const isSource = import.meta.url.endsWith('.ts')
  const path = fileURLToPath(new URL(isSource ? './worker.ts' : './worker.js', import.meta.url))
  if (!isSource) return { path, execArgv: [] }
  return { path, execArgv: ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] }
}
