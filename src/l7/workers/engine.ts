import { availableParallelism } from 'node:os'
import { aborted, type Clock, type Component, type Logger, type Running, realClock, UserError } from '../../base/index.ts'
import { defaultSettings, type EngineSettings } from '../settings.ts'
import { type EngineStats, sumStats } from '../stats.ts'
import { type Certificate, LiveTable, type TableDelta } from '../table/index.ts'
import { checkAccessLog } from '../telemetry/index.ts'
import { checkTlsSettings } from '../tls/secure-context.ts'
import { AcceptTurns } from './accept-turns.ts'
import { bindError, bindHandle, type ListenAddress, type ListenHandle } from './listen-handle.ts'
import { type FromWorker, packDelta, type ToWorker } from './protocol.ts'
import { TicketKeys } from './ticket-keys.ts'
import type { WorkerProcess } from './worker-process.ts'
import { WorkerSlot } from './worker-slot.ts'

export interface EngineOptions {
  readonly http?: ListenAddress
  readonly https?: ListenAddress
  /** Worker processes; by default one for each two processors, at least one. */
  readonly workers?: number
  readonly settings?: Partial<EngineSettings>
  /** How exact the workers' timeouts are. */
  readonly tickMs?: number
  readonly log: Logger
  readonly clock?: Clock
}

/** The HTTP engine: worker processes that serve one route table. */
export interface Engine extends Component {
  start(signal: AbortSignal): Promise<RunningEngine>
  /** Resolves when every worker serves the changed table; rejects when the engine stops before. May be called before `start`. */
  update(delta: TableDelta): Promise<void>
  /** The sum over the workers that answer. */
  stats(): Promise<EngineStats>
  /**
   * Replaces the workers one after another: each new one serves before the old one is drained, so no connection is refused. Rejects when a
   * new one cannot serve; the old one stays.
   */
  restartWorkers(): Promise<void>
}

export interface RunningEngine extends Running {
  /** The ports as bound. */
  readonly http?: number
  readonly https?: number
  /** Process identifiers of the workers that run now. */
  readonly workers: readonly number[]
}

/**
 * Creates an engine. `start` resolves when every worker accepts connections; it throws UserError when a port cannot be bound.
 *
 * @example
 * const engine = createEngine({ http: { address: '127.0.0.1', port: 0 }, log })
 * const { http } = await engine.start(signal)
 * await engine.update({ hosts: new Map([['', { paths: [], fallback: { backend: 'a', labels: {} } }]]), backends })
 */
export const createEngine = (options: EngineOptions): Engine => new Supervisor(options)

interface Waiter {
  readonly sequence: number
  resolve(): void
  reject(error: Error): void
}

class Supervisor implements Engine {
  readonly name = 'l7-engine'
  readonly #options: EngineOptions
  readonly #clock: Clock
  readonly #table = new LiveTable()
  readonly #ticketKeys: TicketKeys
  #slots: readonly WorkerSlot[] = []
  #sequence = 0
  #waiters: Waiter[] = []
  #isRunning = false
  #isStopped = false

  constructor(options: EngineOptions) {
    this.#options = options
    this.#clock = options.clock ?? realClock
    this.#ticketKeys = new TicketKeys(this.#clock, (keys) => this.#sendAll({ type: 'ticket-keys', keys }))
  }

  async start(signal: AbortSignal): Promise<RunningEngine> {
    const { http, https, settings, tickMs = 250 } = this.#options
    if (https) checkTlsSettings({ ...defaultSettings, ...settings })
    if (settings?.telemetry?.accessLog !== undefined) checkAccessLog(settings.telemetry.accessLog.path)
    const handles = bindAll(http, https)
    let builtIn: Certificate | undefined
    try {
      // The X.509 library is only needed here, and takes 60 ms to load.
      if (https) builtIn = await (await import('../tls/self-signed.ts')).createSelfSigned(this.#clock.now())
    } catch (error) {
      closeAll(handles)
      throw error
    }
    const count = this.#workerCount()
    const turns = count > 1 ? new AcceptTurns<WorkerProcess>(this.#clock) : undefined
    this.#slots = Array.from({ length: count }, () => this.#slot({ handles, builtIn, settings, tickMs, turns }))
    this.#isRunning = true
    if (https) this.#ticketKeys.start()
    try {
      await Promise.all(this.#slots.map((slot) => slot.start()))
    } catch (error) {
      await this.#stop(handles)
      throw portProblem(error, this.#options)
    }
    const slots = this.#slots
    return {
      http: handles.http?.port,
      https: handles.https?.port,
      get workers() {
        return slots.flatMap((slot) => slot.pid ?? [])
      },
      stopped: aborted(signal).then(() => this.#stop(handles)),
    }
  }

  update(delta: TableDelta): Promise<void> {
    if (this.#isStopped) return Promise.reject(new Error('the engine is stopped'))
    this.#table.apply(delta)
    const sequence = ++this.#sequence
    if (!this.#isRunning) return Promise.resolve()
    this.#sendAll({ type: 'update', sequence, delta: packDelta(delta) })
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence, resolve, reject })
      this.#settle()
    })
  }

  async stats(): Promise<EngineStats> {
    const answers = await Promise.all(this.#slots.map((slot) => slot.stats()))
    return sumStats(answers.filter((stats) => stats !== undefined))
  }

  async restartWorkers(): Promise<void> {
    for (const slot of this.#slots) await slot.replace(this.#drainTimeoutMs)
  }

  get #drainTimeoutMs(): number {
    return this.#options.settings?.drainTimeoutMs ?? defaultSettings.drainTimeoutMs
  }

  #sendAll(message: ToWorker): void {
    for (const slot of this.#slots) slot.send(message)
  }

  #workerCount(): number {
    return this.#options.workers ?? Math.max(1, Math.floor(availableParallelism() / 2))
  }

  #slot(shared: {
    readonly handles: Handles
    readonly builtIn: Certificate | undefined
    readonly settings: Partial<EngineSettings> | undefined
    readonly tickMs: number
    readonly turns: AcceptTurns<WorkerProcess> | undefined
  }): WorkerSlot {
    return new WorkerSlot({
      start: () => ({
        type: 'start',
        settings: { ...defaultSettings, ...shared.settings },
        tickMs: shared.tickMs,
        workers: this.#workerCount(),
        builtIn: shared.builtIn,
        ticketKeys: shared.handles.https && this.#ticketKeys.current,
      }),
      handles: shared.handles,
      turns: shared.turns,
      clock: this.#clock,
      table: () => ({ type: 'update', sequence: this.#sequence, delta: packDelta(this.#table.asDelta()) }),
      onApplied: () => this.#settle(),
      onMessage: (message) => this.#log(message),
      onExit: (fields) => this.#options.log.error('ingress worker ended; starting another', fields),
    })
  }

  /** Updates are served by all when the slowest worker has applied them. */
  #settle(): void {
    const applied = Math.min(...this.#slots.map((slot) => slot.applied))
    const [done, waiting] = partition(this.#waiters, (waiter) => waiter.sequence <= applied)
    this.#waiters = waiting
    for (const waiter of done) waiter.resolve()
  }

  #log(message: FromWorker): void {
    const { log } = this.#options
    if (message.type === 'failed-request') {
      const { target, ...failure } = message.failure
      log.debug('request failed', { ...failure, ...target?.labels, suppressed: message.suppressed })
    }
    if (message.type === 'bad-certificate')
      log.warn('certificate cannot be used', { certificate: message.id, problem: message.message })
  }

  async #stop(handles: Handles): Promise<void> {
    this.#isStopped = true
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(new Error('the engine is stopped'))
    this.#ticketKeys.stop()
    const drained = this.#slots.map((slot) => slot.stop(this.#drainTimeoutMs))
    // While a copy of a handle is open, connections wait in its queue for nobody.
    closeAll(handles)
    await Promise.all(drained)
  }
}

interface Handles {
  readonly http?: ListenHandle
  readonly https?: ListenHandle
}

const bindAll = (http: ListenAddress | undefined, https: ListenAddress | undefined): Handles => {
  const first = http && bindHandle(http)
  try {
    return { http: first, https: https && bindHandle(https) }
  } catch (error) {
    first?.close()
    throw error
  }
}

const closeAll = (handles: Handles): void => {
  handles.http?.close()
  handles.https?.close()
}

/** A worker's refusal to listen, told as the port problem that it is. */
const portProblem = (error: unknown, options: EngineOptions): unknown => {
  if (!(error instanceof Error) || !('port' in error) || !('code' in error)) return error
  const at = error.port === 'http' ? options.http : options.https
  return at === undefined ? new UserError(error.message) : bindError(at, String(error.code))
}

const partition = <T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] => {
  const yes: T[] = []
  const no: T[] = []
  for (const item of items) (test(item) ? yes : no).push(item)
  return [yes, no]
}
