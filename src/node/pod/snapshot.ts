import type { Pod, PodStatus } from '../../api/index.ts'

/** All that is known of one pod at one moment; what the decisions are made from. */
export interface PodSnapshot {
  readonly pod: Pod
  readonly nowMs: number
  /** Its address; undefined until the network is set up. */
  readonly address: string | undefined
  readonly hostAddress: string
  /** Why the pod as a whole can't go on at present. */
  readonly obstacle?: Obstacle
  /** By name; init containers too. */
  readonly containers: ReadonlyMap<string, ContainerSnapshot>
  /** When the node took the pod up. */
  readonly startedAtMs: number
  /** When the node saw that the pod is being deleted: its grace period begins. */
  readonly deletingSinceMs?: number
  /**
   * What this run of the node last decided; undefined before it decided anything. The object lags behind it: decisions that start from the object's
   * status would chase one another, each write telling of a transition a second earlier or later than the one on its way.
   */
  readonly lastStatus?: PodStatus
}

/** `reason` as containers show it while they wait. */
export interface Obstacle {
  readonly reason: string
  readonly message: string
  readonly retryAtMs?: number
}

export interface ContainerSnapshot {
  readonly phase: ContainerPhase
  /** The run before the present one. */
  readonly last?: Termination
  readonly restartCount: number
  /** The startup probe has passed, or there is none. */
  readonly started: boolean
  /** The readiness probe passes, or there is none. */
  readonly ready: boolean
  readonly imageID: string
  /** A probe or hook wants this run ended. */
  readonly stopWanted?: { readonly graceSeconds: number | undefined }
}

export type ContainerPhase =
  | { readonly kind: 'waiting'; readonly reason: string; readonly message?: string; readonly retryAtMs?: number }
  | { readonly kind: 'running'; readonly startedAtMs: number; readonly containerID: string; readonly stopping: boolean }
  | { readonly kind: 'terminated'; readonly end: Termination; readonly backoffMs: number }

/** How a run ended. */
export interface Termination {
  readonly exitCode: number
  readonly signal?: number
  readonly reason: string
  readonly message?: string
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly containerID: string
}
