import type { StreamFailure, StreamPort } from './stream-table.ts'

export interface StreamSettings {
  /** Where ports are bound. */
  readonly address: string
  /** CIDRs of peers whose PROXY headers are believed. */
  readonly trustedProxies: readonly string[]
}

/** What the supervisor tells the worker: `start` first. */
export type ToStreamWorker =
  | { readonly type: 'start'; readonly settings: StreamSettings }
  | { readonly type: 'update'; readonly sequence: number; readonly ports: readonly StreamPort[] }
  | { readonly type: 'stop'; readonly drainMs: number }

export type FromStreamWorker =
  | { readonly type: 'ready' }
  /** Everything of this update is served, but for `failures`. */
  | { readonly type: 'applied'; readonly sequence: number; readonly failures: readonly StreamFailure[] }
