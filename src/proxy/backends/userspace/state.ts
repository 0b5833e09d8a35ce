import type { Forwarding, NodeView, SourceClass } from '../../../model/index.ts'
import type { FrontendStatus } from '../../backend.ts'
import type { PortState } from './choose.ts'
import type { Listener, ListenerContext } from './listener.ts'
import type { UserspaceBackendOptions } from './options.ts'

/** The books of the mode: what is carried, and by which sockets. */
export interface Userspace {
  readonly options: UserspaceBackendOptions
  readonly context: ListenerContext
  readonly listeners: Map<string, Listener>
  /** Listener ids and port states of each Forwarding. */
  readonly services: Map<string, CarriedService>
  node: NodeView | undefined
  classify: (source: string, reached: string) => SourceClass
  report: (status: FrontendStatus) => void
  /** The sync in work, for stop to wait for. */
  pending: Promise<void>
  isStopped: boolean
}

export interface CarriedService {
  readonly forwarding: Forwarding
  readonly ids: ReadonlySet<string>
  readonly ports: ReadonlyMap<string, PortState>
}
