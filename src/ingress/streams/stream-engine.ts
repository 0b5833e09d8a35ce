import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { aborted, type Clock, type Component, createBackoff, type Logger, type Running, type Timer } from '../../base/index.ts'
import type { FromStreamWorker, StreamSettings, ToStreamWorker } from './protocol.ts'
import type { StreamFailure, StreamPort } from './stream-table.ts'

export interface StreamEngineOptions extends StreamSettings {
  /** How long connections may take after a stop. */
  readonly drainMs: number
  readonly clock: Clock
  readonly log: Logger
}

/** A worker process that forwards ports; it is there while there are ports. */
export interface StreamEngine extends Component {
  /** From now on exactly these. Resolves with those that cannot be had, when the others are served; rejects when the engine stops before. */
  update(ports: readonly StreamPort[]): Promise<readonly StreamFailure[]>
  /** Of the worker, while there is one. */
  readonly pid: number | undefined
}

const HEALTHY_MS = 10_000
const STOP_GRACE_MS = 2_000

export const createStreamEngine = (options: StreamEngineOptions): StreamEngine => {
  const supervisor = new Supervisor(options)
  return {
    name: 'streams engine',
    get pid() {
      return supervisor.pid
    },
    update: (ports) => supervisor.update(ports),
    start: async (signal): Promise<Running> => ({ stopped: aborted(signal).then(() => supervisor.stop()) }),
  }
}

interface Waiter {
  readonly sequence: number
  resolve(failures: readonly StreamFailure[]): void
  reject(error: Error): void
}

class Supervisor {
  readonly #options: StreamEngineOptions
  readonly #backoff = createBackoff({ initialMs: 50, maxMs: 5_000 })
  #ports: readonly StreamPort[] = []
  #sequence = 0
  #waiters: Waiter[] = []
  #child: ChildProcess | undefined
  #isReady = false
  #restart: Timer | undefined
  #startedMs = 0
  #isStopped = false

  constructor(options: StreamEngineOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  update(ports: readonly StreamPort[]): Promise<readonly StreamFailure[]> {
    if (this.#isStopped) return Promise.reject(new Error('the streams engine is stopped'))
    this.#ports = ports
    const sequence = ++this.#sequence
    if (this.#child === undefined && ports.length === 0) return Promise.resolve([])
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence, resolve, reject })
      if (this.#child === undefined && this.#restart === undefined) this.#fork()
      else this.#sendPorts()
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#restart?.cancel()
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new Error('the streams engine is stopped'))
    const child = this.#child
    if (child === undefined) return
    const { drainMs, clock } = this.#options
    await new Promise<void>((resolve) => {
      const kill = clock.setTimer(() => child.kill('SIGKILL'), drainMs + STOP_GRACE_MS)
      child.once('exit', () => {
        kill.cancel()
        resolve()
      })
      if (child.connected) child.send({ type: 'stop', drainMs } satisfies ToStreamWorker, () => {})
      else child.kill('SIGKILL')
    })
  }

  #fork(): void {
    const { path, execArgv } = workerEntry()
    this.#restart = undefined
    this.#isReady = false
    this.#startedMs = this.#options.clock.monotonic()
    const child = fork(path, [], {
      execArgv: [...execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    child.on('message', (message) => this.#onMessage(message as FromStreamWorker))
    child.on('error', () => {})
    child.once('exit', (code, signal) => this.#onExit(child.pid, code, signal))
  }

  #onMessage(message: FromStreamWorker): void {
    if (message.type === 'ready') {
      const { address, trustedProxies } = this.#options
      this.#isReady = true
      this.#post({ type: 'start', settings: { address, trustedProxies } })
      this.#sendPorts()
      return
    }
    const done = this.#waiters.filter(({ sequence }) => sequence <= message.sequence)
    this.#waiters = this.#waiters.filter(({ sequence }) => sequence > message.sequence)
    for (const waiter of done) waiter.resolve(message.failures)
  }

  #sendPorts(): void {
    if (this.#isReady) this.#post({ type: 'update', sequence: this.#sequence, ports: this.#ports })
  }

  #post(message: ToStreamWorker): void {
    if (this.#child?.connected === true) this.#child.send(message, () => {})
  }

  #onExit(pid: number | undefined, code: number | null, signal: string | null): void {
    this.#child = undefined
    this.#isReady = false
    if (this.#isStopped) return
    const { clock, log } = this.#options
    log.error('streams worker ended; starting another', { pid, code, signal })
    if (clock.monotonic() - this.#startedMs > HEALTHY_MS) this.#backoff.reset()
    this.#restart = clock.setTimer(() => this.#fork(), this.#backoff.next())
  }
}

/** stream-worker.js beside this file when built; stream-worker.ts through tsx in development and tests. */
const workerEntry = (): { readonly path: string; readonly execArgv: readonly string[] } => {
  const isSource = import.meta.url.endsWith('.ts')
  const path = fileURLToPath(new URL(isSource ? './stream-worker.ts' : './stream-worker.js', import.meta.url))
  if (!isSource) return { path, execArgv: [] }
  return { path, execArgv: ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] }
}
