import type { Probe } from '../../api/index.ts'
import type { Clock, Timer } from '../../base/index.ts'
import { type HandlerOutcome, type HandlerTarget, tryHandler } from './handlers.ts'
import { initialProbeState, nextProbeState, type ProbeResult, probeTiming } from './machine.ts'

export interface ProberOptions {
  readonly probe: Probe
  readonly target: HandlerTarget
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Called when the established result changes, and for a failure each time it is confirmed. */
  onResult(result: ProbeResult, output: string): void
  /** Called for each failed try. */
  onFailedTry(output: string): void
}

/** Tries one probe of a running container at its period until `signal` aborts; tries never overlap. */
export const startProber = (options: ProberOptions): void => {
  const { probe, clock, signal } = options
  const timing = probeTiming(probe)
  let state = initialProbeState
  let timer: Timer | undefined
  const once = async (): Promise<void> => {
    const outcome: HandlerOutcome = await tryHandler(probe, options.target, { timeoutMs: timing.timeoutMs, clock, signal })
    if (signal.aborted) return
    const before = state.result
    state = nextProbeState(state, outcome.ok ? 'success' : 'failure', timing)
    if (!outcome.ok) options.onFailedTry(outcome.output)
    if (state.result !== 'unknown' && (state.result !== before || (state.result === 'failure' && !outcome.ok))) {
      options.onResult(state.result, outcome.output)
    }
    if (!signal.aborted) schedule(timing.periodMs)
  }
  const schedule = (delayMs: number): void => {
    timer = clock.setTimer(() => void once(), delayMs)
  }
  signal.addEventListener('abort', () => timer?.cancel(), { once: true })
  if (!signal.aborted) schedule(timing.initialDelayMs)
}
