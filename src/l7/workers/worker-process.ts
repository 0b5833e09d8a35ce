import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Clock } from '../../base/index.ts'
import type { EngineStats } from '../stats.ts'
import { type AcceptTurns, TURN } from './accept-turns.ts'
import type { ListenHandle } from './listen-handle.ts'
import type { FromWorker, PortName, ToWorker } from './protocol.ts'

export interface WorkerProcessOptions {
  /** As it is when the worker asks for it. */
  start(): ToWorker & { readonly type: 'start' }
  readonly handles: { readonly http?: ListenHandle; readonly https?: ListenHandle }
  readonly clock: Clock
  /** How workers share the handles; undefined for a single one. */
  readonly turns: AcceptTurns<WorkerProcess> | undefined
  /** The table as it is now, whole. */
  table(): ToWorker & { readonly type: 'update' }
  onApplied(): void
  onMessage(message: FromWorker): void
  onExit(code: number | null, signal: string | null): void
}

const STATS_TIMEOUT_MS = 2_000
const STOP_GRACE_MS = 2_000

/** One worker process, from its start to its end. */
export class WorkerProcess {
  /** The last update that it serves; -1 while it starts. */
  applied = -1
  readonly #options: WorkerProcessOptions
  readonly #child: ChildProcess
  readonly #statsWaiters = new Map<number, (stats: EngineStats | undefined) => void>()
  #statsSequence = 0
  /** Undefined for a worker that takes no new connections. */
  #turns: AcceptTurns<WorkerProcess> | undefined
  #toListen = 0
  #hasTable = false
  #tableSequence = -1
  #whenServing: { resolve(): void; reject(error: Error): void } | undefined
  /** Resolves when it accepts connections; rejects when it cannot, or ends before. */
  readonly serving: Promise<void>
  readonly exited: Promise<void>

  constructor(options: WorkerProcessOptions) {
    this.#options = options
    this.#turns = options.turns
    this.serving = new Promise((resolve, reject) => {
      this.#whenServing = { resolve, reject }
    })
    this.serving.catch(() => {})
    const { path, execArgv } = workerEntry()
    const child = fork(path, [], {
      execArgv: [...execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child = child
    child.on('message', (message) => this.#onMessage(message as FromWorker))
    child.on('error', () => {})
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        resolve()
        this.#onExit(code, signal)
      })
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Passes a message on; a worker that has no table yet gets what it says with its start. */
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
  async stop(drainTimeoutMs: number): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    this.#leaveTurns()
    const kill = this.#options.clock.setTimer(() => child.kill('SIGKILL'), drainTimeoutMs + STOP_GRACE_MS)
    if (!this.#post({ type: 'stop' })) child.kill('SIGKILL')
    await this.exited
    kill.cancel()
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
      case 'turn-over':
        this.#turns?.over(this, message.connections, () => this.#listen(message.port))
        return
      case 'connections':
        this.#turns?.note(this, message.connections)
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
    const { handles } = this.#options
    const ports = (['http', 'https'] as const).filter((port) => handles[port] !== undefined)
    this.#toListen = ports.length
    this.#post(this.#options.start())
    this.#post(this.#options.table())
    this.#hasTable = true
    this.#turns?.note(this, 0)
    for (const port of ports) this.#listen(port)
  }

  #listen(port: PortName): void {
    const turns = this.#turns
    const handle = this.#options.handles[port]
    if (handle === undefined) return
    this.#post({ type: 'listen', port, proxyProtocol: handle.proxyProtocol, turn: turns === undefined ? 0 : TURN }, handle.native)
  }

  #advance(): void {
    if (this.#toListen > 0 || this.#tableSequence === -1) return
    this.applied = this.#tableSequence
    this.#whenServing?.resolve()
    this.#whenServing = undefined
    this.#options.onApplied()
  }

  #leaveTurns(): void {
    this.#turns?.leave(this)
    this.#turns = undefined
  }

  #onListenFailed(message: FromWorker & { readonly type: 'listen-failed' }): void {
    const error = Object.assign(new Error(`cannot listen (${message.code})`), { code: message.code, port: message.port })
    this.#whenServing?.reject(error)
    this.#whenServing = undefined
    this.#child.kill('SIGKILL')
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#hasTable = false
    this.applied = -1
    this.#leaveTurns()
    for (const finish of [...this.#statsWaiters.values()]) finish(undefined)
    this.#whenServing?.reject(new Error('the worker ended before it served'))
    this.#whenServing = undefined
    this.#options.onExit(code, signal)
  }

  #post(message: ToWorker, handle?: unknown): boolean {
    const child = this.#child
    if (!child.connected) return false
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
