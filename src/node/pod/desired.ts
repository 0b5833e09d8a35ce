import type { Container, Pod } from '../../api/index.ts'
import type { ContainerSnapshot, PodSnapshot } from './snapshot.ts'

/** What to do now for a pod, and when to look again though nothing happens. */
export interface Decision {
  readonly actions: readonly Action[]
  readonly wakeAtMs?: number
  /** No container runs and none will: release everything that the pod holds. */
  readonly over: boolean
}

export type Action =
  | { readonly kind: 'start'; readonly container: string }
  | { readonly kind: 'stop'; readonly container: string; readonly deadlineMs: number; readonly why: StopReason }

export type StopReason = 'deleted' | 'unhealthy' | 'deadline'

/** Kubernetes' default of `terminationGracePeriodSeconds`. */
const DEFAULT_GRACE_SECONDS = 30

/** What a pod needs next. Pure; the same snapshot gives the same decision. */
export const desiredActions = (snapshot: PodSnapshot): Decision => {
  const { pod, nowMs } = snapshot
  if (pod.metadata.deletionTimestamp !== undefined) return stopAll(snapshot, deletionDeadline(snapshot), 'deleted')
  if (isPastDeadline(snapshot)) return stopAll(snapshot, nowMs + graceMs(pod), 'deadline')
  if (snapshot.obstacle) return { actions: [], wakeAtMs: snapshot.obstacle.retryAtMs, over: false }
  const plan = new Plan(snapshot)
  const initialized = plan.initContainers()
  if (initialized === 'failed') return stopAll(snapshot, nowMs + graceMs(pod), 'deadline')
  if (initialized === 'done') for (const container of pod.spec.containers) plan.container(container)
  if (initialized === 'done' && pod.spec.containers.every((container) => plan.isOver(container))) {
    // Sidecars end with what they accompany.
    return stopAll(snapshot, nowMs + graceMs(pod), 'deadline')
  }
  plan.wakeAtDeadline()
  return plan.decision()
}

/** Whether a container that ended so is started again. */
export const restarts = (container: Container, exitCode: number, policy: Pod['spec']['restartPolicy']): boolean => {
  if (container.restartPolicy === 'Always') return true
  return policy === 'OnFailure' ? exitCode !== 0 : (policy ?? 'Always') === 'Always'
}

/** Init containers that go on beside the others (Kubernetes 1.29). */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always'

/** The pod's active deadline has passed. */
export const isPastDeadline = (snapshot: PodSnapshot): boolean => {
  const deadline = activeDeadline(snapshot)
  return deadline !== undefined && deadline <= snapshot.nowMs
}

const activeDeadline = (snapshot: PodSnapshot): number | undefined => {
  const seconds = snapshot.pod.spec.activeDeadlineSeconds
  return seconds === undefined ? undefined : snapshot.startedAtMs + seconds * 1000
}

class Plan {
  readonly #snapshot: PodSnapshot
  readonly #actions: Action[] = []
  #wakeAtMs: number | undefined

  constructor(snapshot: PodSnapshot) {
    this.#snapshot = snapshot
  }

  /** Goes through the init containers in order, up to the first that isn't done. */
  initContainers(): 'done' | 'going' | 'failed' {
    for (const container of this.#snapshot.pod.spec.initContainers ?? []) {
      const state = this.#of(container)
      if (isSidecar(container)) {
        this.container(container)
        if (state?.phase.kind !== 'running' || !state.started) return 'going'
        continue
      }
      if (state?.phase.kind === 'terminated' && state.phase.end.exitCode === 0) continue
      if (state?.phase.kind === 'terminated' && this.#policy() === 'Never') return 'failed'
      this.container(container)
      return 'going'
    }
    return 'done'
  }

  /** Starts, stops or leaves one container. */
  container(container: Container): void {
    const state = this.#of(container)
    if (state === undefined) return
    const { phase } = state
    const { nowMs, pod } = this.#snapshot
    if (phase.kind === 'running') {
      if (state.stopWanted === undefined || phase.stopping) return
      const grace = state.stopWanted.graceSeconds
      const deadlineMs = nowMs + (grace === undefined ? graceMs(pod) : grace * 1000)
      this.#actions.push({ kind: 'stop', container: container.name, deadlineMs, why: 'unhealthy' })
      return
    }
    const dueMs = phase.kind === 'waiting' ? (phase.retryAtMs ?? nowMs) : this.#restartAt(container, state)
    if (dueMs === undefined) return
    if (dueMs <= nowMs) this.#actions.push({ kind: 'start', container: container.name })
    else this.#wake(dueMs)
  }

  isOver(container: Container): boolean {
    const state = this.#of(container)
    return state?.phase.kind === 'terminated' && this.#restartAt(container, state) === undefined
  }

  wakeAtDeadline(): void {
    const deadline = activeDeadline(this.#snapshot)
    if (deadline !== undefined) this.#wake(deadline)
  }

  decision(): Decision {
    return { actions: this.#actions, wakeAtMs: this.#wakeAtMs, over: false }
  }

  #restartAt(container: Container, state: ContainerSnapshot): number | undefined {
    if (state.phase.kind !== 'terminated') return undefined
    const { end, backoffMs } = state.phase
    const init = (this.#snapshot.pod.spec.initContainers ?? []).includes(container)
    // A failed init container is tried again unless the policy is Never, also under Always.
    const again =
      init && !isSidecar(container)
        ? end.exitCode !== 0 && this.#policy() !== 'Never'
        : restarts(container, end.exitCode, this.#policy())
    return again ? end.finishedAtMs + backoffMs : undefined
  }

  #policy(): Pod['spec']['restartPolicy'] {
    return this.#snapshot.pod.spec.restartPolicy ?? 'Always'
  }

  #of(container: Container): ContainerSnapshot | undefined {
    return this.#snapshot.containers.get(container.name)
  }

  #wake(atMs: number): void {
    this.#wakeAtMs = this.#wakeAtMs === undefined ? atMs : Math.min(this.#wakeAtMs, atMs)
  }
}

const stopAll = (snapshot: PodSnapshot, deadlineMs: number, why: StopReason): Decision => {
  const running = [...snapshot.containers].filter(([, state]) => state.phase.kind === 'running')
  const sidecars = new Set((snapshot.pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name))
  const others = running.filter(([name]) => !sidecars.has(name))
  // Sidecars go after the containers that they serve, within the same grace period.
  const now = others.length > 0 && deadlineMs > snapshot.nowMs ? others : running
  return {
    actions: now.map(([container]) => ({ kind: 'stop', container, deadlineMs, why })),
    wakeAtMs: now.length < running.length ? deadlineMs : undefined,
    over: running.length === 0,
  }
}

const graceMs = (pod: Pod): number => (pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000

/** As in the kubelet, the grace period counts from when the node learns of the deletion; a later, shorter one counts from then too. */
const deletionDeadline = ({ pod, nowMs, deletingSinceMs = nowMs }: PodSnapshot): number => {
  const seconds = pod.metadata.deletionGracePeriodSeconds
  return deletingSinceMs + (seconds === undefined ? graceMs(pod) : seconds * 1000)
}
