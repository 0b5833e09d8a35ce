import type { Clock, Lifecycle, Logger } from '../base/index.ts'
import { type Client, createEventRecorder, type EventRecorder } from '../client/index.ts'
import type { Host } from '../host/index.ts'
import type { PodNetwork } from '../node/index.ts'
import type { ClusterOptions } from './options.ts'
import type { PodLogsRelay } from './pod-logs-relay.ts'
import type { ServiceMode } from './proxy-mode.ts'
import type { StatusWriter } from './status-writer.ts'

/** What every part of the cluster is made from. */
export interface PartsDeps {
  readonly host: Host
  readonly options: ClusterOptions
  readonly lifecycle: Lifecycle
  readonly clock: Clock
  readonly log: Logger
  readonly network: PodNetwork
  readonly serviceMode: ServiceMode
  readonly podLogs: PodLogsRelay
  readonly writer: StatusWriter
  /** Tells the user what is being started; throws when the start was called off. */
  onStep(step: string): void
}

/** The API, started. */
export interface ControlPlane {
  readonly client: Client
  readonly kubeconfig: string
  /** `https://127.0.0.1:6443`. */
  readonly url: string
  /** A client that acts as one of the parts of this process. */
  clientFor(component: string): Client
}

/** What the parts need that follow the API. */
export interface DataPlaneDeps extends PartsDeps {
  readonly control: ControlPlane
}

/** A recorder that tells of Events as `component`. */
export const recorderOf = ({ control, clock, log, options }: DataPlaneDeps, component: string): EventRecorder =>
  createEventRecorder({ client: control.clientFor(component), component, host: options.nodeName, clock, log })
