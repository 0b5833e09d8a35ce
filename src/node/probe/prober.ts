import type { Probe } from '../../api/index.ts'
import type { Clock, Timer } from '../../base/index.ts'
import { type HandlerTarget, tryHandler } from './handlers.ts'
import { initialProbeState, nextProbeState, type ProbeResult, type ProbeState, type ProbeTiming, probeTiming } from './machine.ts'

export interface ProberOptions {
  readonly probe: Probe
  readonly target: HandlerTarget
  readonly clock: Clock
  readonly signal: AbortSignal
  /**
   * Until the first success, network probes are tried more often than their period says, so that a pod is ready as soon as it answers;
   * such tries count only when they succeed.
   */
  readonly eager: boolean
  /** Called when the established result changes, and for a failure each time it is confirmed. */
  onResult(result: ProbeResult, output: string): void
  /** Called for each failed try that counts. */
  onFailedTry(output: string): void
}

const FIRST_EAGER_MS = 50

/** Tries one probe of a running container at its period until `signal` aborts; tries never overlap. */
export const startProber = (options: ProberOptions): void => {
  const prober = new Prober(options)
  options.signal.addEventListener('abort', () => prober.stop(), { once: true })
  if (!options.signal.aborted) prober.start()
}

class Prober {
  readonly #options: ProberOptions
  readonly #timing: ProbeTiming
  #state: ProbeState = initialProbeState
  #timer: Timer | undefined
  /** When the next try that counts is due, on the monotonic clock. */
  #dueMs = 0
  #eagerMs = FIRST_EAGER_MS

  constructor(options: ProberOptions) {
    this.#options = options
    this.#timing = probeTiming(options.probe)
  }

  start(): void {
    this.#dueMs = this.#options.clock.monotonic() + this.#timing.initialDelayMs
    this.#schedule()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #schedule(): void {
    const { clock } = this.#options
    const leftMs = Math.max(0, this.#dueMs - clock.monotonic())
    const early = this.#isEager() && this.#eagerMs < leftMs
    this.#timer = clock.setTimer(() => void this.#try(!early), early ? this.#eagerMs : leftMs)
    if (early) this.#eagerMs *= 2
  }

  /** Not before the initial delay, and never for commands, which cost a process each. */
  #isEager(): boolean {
    return (
      this.#options.eager &&
      this.#state.last !== undefined &&
      this.#state.result !== 'success' &&
      this.#options.probe.exec === undefined
    )
  }

  async #try(counts: boolean): Promise<void> {
    const { probe, target, clock, signal } = this.#options
    if (counts) this.#dueMs = clock.monotonic() + this.#timing.periodMs
    const outcome = await tryHandler(probe, target, { timeoutMs: this.#timing.timeoutMs, clock, signal })
    if (signal.aborted) return
    if (counts || outcome.ok) this.#count(outcome.ok ? 'success' : 'failure', outcome.output)
    if (!signal.aborted) this.#schedule()
  }

  #count(result: ProbeResult, output: string): void {
    const before = this.#state.result
    this.#state = nextProbeState(this.#state, result, this.#timing)
    const now = this.#state.result
    if (result === 'failure') this.#options.onFailedTry(output)
    if (now !== 'unknown' && (now !== before || (now === 'failure' && result === 'failure'))) this.#options.onResult(now, output)
  }
}
