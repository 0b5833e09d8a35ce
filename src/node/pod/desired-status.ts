import type { Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from '../../api/index.ts'
import { isPastDeadline, isSidecar, restarts } from './desired.ts'
import type { ContainerSnapshot, PodSnapshot, Termination } from './snapshot.ts'

/**
 * The status of a pod from its containers' states. Conditions keep their transition time where they stay as they were, as the kubelet has it
 * from its own cache and not from the API (pkg/kubelet/status, updateLastTransitionTime). Pure; of its own result it makes the same again.
 */
export const desiredStatus = (snapshot: PodSnapshot): PodStatus => {
  const { pod, address } = snapshot
  const { spec } = pod
  const initStatuses = (spec.initContainers ?? []).map((container) => containerStatus(container, snapshot))
  const statuses = spec.containers.map((container) => containerStatus(container, snapshot))
  const phase = podPhase(snapshot)
  const expired = isPastDeadline(snapshot)
  return {
    phase,
    conditions: conditions(snapshot, phase),
    hostIP: snapshot.hostAddress,
    hostIPs: [{ ip: snapshot.hostAddress }],
    ...(address === undefined ? {} : { podIP: address, podIPs: [{ ip: address }] }),
    startTime: lastStatusOf(snapshot)?.startTime ?? timeText(snapshot.startedAtMs),
    ...(initStatuses.length > 0 ? { initContainerStatuses: initStatuses } : {}),
    containerStatuses: statuses,
    qosClass: qosClass(pod),
    ...(expired ? { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' } : {}),
  }
}

/** A run of the node starts from what an earlier one, and the scheduler, left in the API. */
const lastStatusOf = ({ lastStatus, pod }: PodSnapshot): PodStatus | undefined => lastStatus ?? pod.status

/** RFC 3339 with whole seconds, as Kubernetes writes times. */
export const timeText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

type Phase = NonNullable<PodStatus['phase']>

/** `Pending` until all init containers are done and one container was started; final phases when none will be started again. */
const podPhase = (snapshot: PodSnapshot): Phase => {
  const { pod, containers } = snapshot
  const { restartPolicy = 'Always', initContainers = [] } = pod.spec
  const finals = pod.spec.containers.map((container) => finalCode(container, containers.get(container.name), restartPolicy))
  const failedInit = initContainers.some((container) => {
    const phase = containers.get(container.name)?.phase
    return !isSidecar(container) && phase?.kind === 'terminated' && phase.end.exitCode !== 0 && restartPolicy === 'Never'
  })
  const noneRuns = [...containers.values()].every((state) => state.phase.kind !== 'running')
  if (failedInit || (isPastDeadline(snapshot) && noneRuns)) return 'Failed'
  if (finals.every((code) => code !== undefined)) return finals.every((code) => code === 0) ? 'Succeeded' : 'Failed'
  if (!isInitialized(snapshot)) return 'Pending'
  const everStarted = pod.spec.containers.every((container) => {
    const state = containers.get(container.name)
    return state !== undefined && (state.phase.kind !== 'waiting' || state.last !== undefined)
  })
  return everStarted ? 'Running' : 'Pending'
}

const finalCode = (
  container: Container,
  state: ContainerSnapshot | undefined,
  policy: Pod['spec']['restartPolicy'],
): number | undefined => {
  if (state?.phase.kind !== 'terminated') return undefined
  const { exitCode } = state.phase.end
  return restarts(container, exitCode, policy) ? undefined : exitCode
}

const isInitialized = (snapshot: PodSnapshot): boolean =>
  (snapshot.pod.spec.initContainers ?? []).every((container) => {
    const state = snapshot.containers.get(container.name)
    if (isSidecar(container)) return state?.started === true
    return state?.phase.kind === 'terminated' && state.phase.end.exitCode === 0
  })

const containerStatus = (container: Container, snapshot: PodSnapshot): ContainerStatus => {
  const state = snapshot.containers.get(container.name)
  const running = state?.phase.kind === 'running'
  const init = (snapshot.pod.spec.initContainers ?? []).includes(container)
  const done = init && !isSidecar(container) && state?.phase.kind === 'terminated' && state.phase.end.exitCode === 0
  return {
    name: container.name,
    state: containerState(container, state, snapshot),
    ...(lastState(container, state, snapshot) ?? {}),
    ready: done || (running && state.ready && state.started && !(init && !isSidecar(container))),
    restartCount: state?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: state?.imageID ?? '',
    ...(state && containerID(state) !== undefined ? { containerID: containerID(state) } : {}),
    started: running && state.started,
  }
}

const containerID = (state: ContainerSnapshot): string | undefined => {
  if (state.phase.kind === 'running') return state.phase.containerID
  return state.phase.kind === 'terminated' ? state.phase.end.containerID : state.last?.containerID
}

const containerState = (container: Container, state: ContainerSnapshot | undefined, snapshot: PodSnapshot): ContainerState => {
  if (state === undefined || state.phase.kind === 'waiting') return waitingState(state, snapshot)
  if (state.phase.kind === 'running') return { running: { startedAt: timeText(state.phase.startedAtMs) } }
  if (!isInBackoff(container, state, snapshot)) return { terminated: terminated(state.phase.end) }
  const seconds = state.phase.backoffMs / 1000
  const message = `back-off ${seconds}s restarting failed container=${container.name} pod=${snapshot.pod.metadata.name}`
  return { waiting: { reason: 'CrashLoopBackOff', message } }
}

const waitingState = (state: ContainerSnapshot | undefined, snapshot: PodSnapshot): ContainerState => {
  if (snapshot.obstacle) return { waiting: { reason: snapshot.obstacle.reason, message: snapshot.obstacle.message } }
  if (state?.phase.kind !== 'waiting') return { waiting: { reason: 'ContainerCreating' } }
  const isMain = snapshot.pod.spec.containers.some((container) => snapshot.containers.get(container.name) === state)
  const reason = isMain && !isInitialized(snapshot) ? 'PodInitializing' : state.phase.reason
  return { waiting: { reason, ...(state.phase.message === undefined ? {} : { message: state.phase.message }) } }
}

/** While a container waits for its restart, the run that ended is the last state already. */
const lastState = (
  container: Container,
  state: ContainerSnapshot | undefined,
  snapshot: PodSnapshot,
): { readonly lastState: ContainerState } | undefined => {
  if (state === undefined) return undefined
  if (state.phase.kind === 'terminated' && isInBackoff(container, state, snapshot))
    return { lastState: { terminated: terminated(state.phase.end) } }
  return state.last === undefined ? undefined : { lastState: { terminated: terminated(state.last) } }
}

const isInBackoff = (container: Container, state: ContainerSnapshot, { pod }: PodSnapshot): boolean => {
  if (state.phase.kind !== 'terminated' || state.phase.backoffMs === 0 || pod.metadata.deletionTimestamp !== undefined)
    return false
  const { exitCode } = state.phase.end
  const init = (pod.spec.initContainers ?? []).includes(container) && !isSidecar(container)
  return init ? exitCode !== 0 && pod.spec.restartPolicy !== 'Never' : restarts(container, exitCode, pod.spec.restartPolicy)
}

const terminated = (end: Termination): NonNullable<ContainerState['terminated']> => ({
  exitCode: end.exitCode,
  ...(end.signal === undefined ? {} : { signal: end.signal }),
  reason: end.reason,
  ...(end.message === undefined ? {} : { message: end.message }),
  startedAt: timeText(end.startedAtMs),
  finishedAt: timeText(end.finishedAtMs),
  containerID: end.containerID,
})

type Truth = Pick<PodCondition, 'status' | 'reason' | 'message'>

const TRUE: Truth = { status: 'True' }

const conditions = (snapshot: PodSnapshot, phase: Phase): readonly PodCondition[] => {
  const { pod } = snapshot
  const containersReady = containersReadyCondition(snapshot, phase)
  const wanted: readonly (readonly [string, Truth])[] = [
    ['PodReadyToStartContainers', { status: snapshot.address === undefined ? 'False' : 'True' }],
    ['Initialized', initializedCondition(snapshot, phase)],
    ['Ready', readyCondition(pod, containersReady)],
    ['ContainersReady', containersReady],
    ['PodScheduled', TRUE],
  ]
  return wanted.map(([type, truth]) => {
    const old = lastStatusOf(snapshot)?.conditions?.find((condition) => condition.type === type)
    const since = old?.status === truth.status ? old.lastTransitionTime : undefined
    return { type, ...truth, lastTransitionTime: since ?? timeText(snapshot.nowMs) }
  })
}

const initializedCondition = (snapshot: PodSnapshot, phase: Phase): Truth => {
  if (isInitialized(snapshot) || phase === 'Succeeded') return phase === 'Succeeded' ? { ...TRUE, reason: 'PodCompleted' } : TRUE
  const waiting = (snapshot.pod.spec.initContainers ?? []).filter((container) => {
    const state = snapshot.containers.get(container.name)
    return !(state?.phase.kind === 'terminated' && state.phase.end.exitCode === 0)
  })
  return { status: 'False', reason: 'ContainersNotInitialized', message: `containers with incomplete status: ${named(waiting)}` }
}

const containersReadyCondition = (snapshot: PodSnapshot, phase: Phase): Truth => {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' }
  const unready = snapshot.pod.spec.containers.filter((container) => !containerStatus(container, snapshot).ready)
  const sidecars = (snapshot.pod.spec.initContainers ?? [])
    .filter(isSidecar)
    .filter((container) => !containerStatus(container, snapshot).ready)
  const all = [...sidecars, ...unready]
  if (all.length === 0) return TRUE
  return { status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: ${named(all)}` }
}

const readyCondition = (pod: Pod, containersReady: Truth): Truth => {
  if (containersReady.status !== 'True') return containersReady
  const open = (pod.spec.readinessGates ?? []).filter(
    (gate) => pod.status?.conditions?.find((condition) => condition.type === gate.conditionType)?.status !== 'True',
  )
  if (open.length === 0) return TRUE
  const [first] = open
  return {
    status: 'False',
    reason: 'ReadinessGatesNotReady',
    message: `corresponding condition of pod readiness gate "${first?.conditionType}" is not True`,
  }
}

const named = (containers: readonly Container[]): string => `[${containers.map(({ name }) => name).join(' ')}]`

const qosClass = (pod: Pod): string => {
  const resources = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ resources }) => resources)
  const given = resources.some((entry) => hasAny(entry?.limits) || hasAny(entry?.requests))
  if (!given) return 'BestEffort'
  const guaranteed = resources.every((entry) =>
    ['cpu', 'memory'].every((name) => {
      const limit = entry?.limits?.[name]
      const request = entry?.requests?.[name] ?? limit
      return limit !== undefined && String(request) === String(limit)
    }),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

const hasAny = (map: Readonly<Record<string, unknown>> | undefined): boolean => Object.keys(map ?? {}).length > 0
