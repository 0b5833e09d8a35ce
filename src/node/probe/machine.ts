import type { Probe } from '../../api/index.ts'

/** A probe's numbers with Kubernetes' defaults. */
export interface ProbeTiming {
  readonly initialDelayMs: number
  readonly timeoutMs: number
  readonly periodMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
}

export const probeTiming = (probe: Probe): ProbeTiming => ({
  initialDelayMs: atLeast(probe.initialDelaySeconds, 0, 0) * 1000,
  timeoutMs: atLeast(probe.timeoutSeconds, 1, 1) * 1000,
  periodMs: atLeast(probe.periodSeconds, 1, 10) * 1000,
  successThreshold: atLeast(probe.successThreshold, 1, 1),
  failureThreshold: atLeast(probe.failureThreshold, 1, 3),
})

/** Zero and less stand for "not set" in Kubernetes' probes. */
const atLeast = (value: number | undefined, least: number, otherwise: number): number =>
  value === undefined || value < least || value === 0 ? otherwise : value

export type ProbeResult = 'success' | 'failure'

/** What a probe has established, and the run of equal outcomes that may change it. */
export interface ProbeState {
  readonly result: ProbeResult | 'unknown'
  readonly last: ProbeResult | undefined
  readonly count: number
}

export const initialProbeState: ProbeState = { result: 'unknown', last: undefined, count: 0 }

/** The state after one more outcome: the result changes when a run of equal outcomes reaches its threshold. Pure. */
export const nextProbeState = (state: ProbeState, outcome: ProbeResult, timing: ProbeTiming): ProbeState => {
  const count = state.last === outcome ? state.count + 1 : 1
  const threshold = outcome === 'success' ? timing.successThreshold : timing.failureThreshold
  return { result: count >= threshold ? outcome : state.result, last: outcome, count }
}
