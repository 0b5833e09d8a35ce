import type { ContainerStatus } from './pod-status.ts'
import type { Pod } from './schema.ts'

/** What one line of `kubectl get pods` says. */
export interface PodSummary {
  readonly ready: number
  readonly total: number
  readonly reason: string
  readonly restarts: number
  /** When a container last ended before it was started again. */
  readonly lastRestart: string | undefined
}

/** Sums up a pod in the words of `kubectl get pods`. */
export const summarize = (pod: Pod): PodSummary => {
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name))
  const init = summarizeInit(pod, sidecars)
  const total = pod.spec.containers.length + sidecars.size
  const phaseReason = pod.status?.reason || (isGated(pod) ? 'SchedulingGated' : pod.status?.phase) || ''
  const main = init.waitingFor === undefined || isConditionTrue(pod, 'Initialized') ? summarizeMain(pod, phaseReason) : undefined
  const reason = main === undefined ? (init.waitingFor ?? phaseReason) : main.reason
  return {
    ready: init.ready + (main?.ready ?? 0),
    total,
    reason: deletionReason(pod) ?? reason,
    restarts: main === undefined ? init.restarts : init.sidecarRestarts + main.restarts,
    lastRestart: main === undefined ? init.lastRestart : latest(init.lastSidecarRestart, main.lastRestart),
  }
}

const isSidecar = ({ restartPolicy }: { readonly restartPolicy?: string }): boolean => restartPolicy === 'Always'

const isGated = (pod: Pod): boolean =>
  (pod.status?.conditions ?? []).some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated')

const isConditionTrue = (pod: Pod, wanted: string): boolean =>
  (pod.status?.conditions ?? []).some(({ type, status }) => type === wanted && status === 'True')

interface InitSummary {
  readonly ready: number
  readonly restarts: number
  readonly sidecarRestarts: number
  readonly lastRestart: string | undefined
  readonly lastSidecarRestart: string | undefined
  /** Set while an init container is not done. */
  readonly waitingFor: string | undefined
}

const summarizeInit = (pod: Pod, sidecars: ReadonlySet<string>): InitSummary => {
  let summary: InitSummary = { ...NOTHING }
  const count = (pod.spec.initContainers ?? []).length
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const ended = status.lastState?.terminated?.finishedAt
    const sidecar = sidecars.has(status.name)
    summary = {
      ...summary,
      restarts: summary.restarts + status.restartCount,
      lastRestart: latest(summary.lastRestart, ended),
      sidecarRestarts: summary.sidecarRestarts + (sidecar ? status.restartCount : 0),
      lastSidecarRestart: sidecar ? latest(summary.lastSidecarRestart, ended) : summary.lastSidecarRestart,
    }
    if (status.state?.terminated?.exitCode === 0) continue
    if (sidecar && status.started === true) {
      summary = { ...summary, ready: summary.ready + Number(status.ready) }
      continue
    }
    return { ...summary, waitingFor: `Init:${initReason(status) ?? `${index}/${count}`}` }
  }
  return summary
}

const NOTHING: InitSummary = {
  ready: 0,
  restarts: 0,
  sidecarRestarts: 0,
  lastRestart: undefined,
  lastSidecarRestart: undefined,
  waitingFor: undefined,
}

const initReason = ({ state }: ContainerStatus): string | undefined => {
  if (state?.terminated !== undefined) return endReason(state.terminated)
  const waiting = state?.waiting?.reason ?? ''
  return waiting === '' || waiting === 'PodInitializing' ? undefined : waiting
}

const endReason = (terminated: { readonly reason?: string; readonly signal?: number; readonly exitCode: number }): string => {
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason
  return (terminated.signal ?? 0) !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`
}

interface MainSummary {
  readonly ready: number
  readonly restarts: number
  readonly reason: string
  readonly lastRestart: string | undefined
}

const summarizeMain = (pod: Pod, phaseReason: string): MainSummary => {
  const statuses = pod.status?.containerStatuses ?? []
  const running = statuses.filter(({ ready, state }) => ready && state?.running !== undefined)
  // The first container that has something to say is heard.
  const said = statuses.map(({ state }) => state?.waiting?.reason || (state?.terminated && endReason(state.terminated)) || '')
  const reason = said.find((each) => each !== '') ?? phaseReason
  const stillRuns = reason === 'Completed' && running.length > 0
  return {
    ready: running.length,
    restarts: statuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
    reason: stillRuns ? (isConditionTrue(pod, 'Ready') ? 'Running' : 'NotReady') : reason,
    lastRestart: statuses
      .map(({ lastState }) => lastState?.terminated?.finishedAt)
      .reduce<string | undefined>((last, each) => latest(last, each), undefined),
  }
}

const deletionReason = ({ metadata, status }: Pod): string | undefined => {
  if (metadata.deletionTimestamp === undefined) return undefined
  if (status?.reason === 'NodeLost') return 'Unknown'
  return status?.phase === 'Succeeded' || status?.phase === 'Failed' ? undefined : 'Terminating'
}

const latest = (a: string | undefined, b: string | undefined): string | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  return Date.parse(a) >= Date.parse(b) ? a : b
}
