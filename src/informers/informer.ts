import type { KubeObject } from '../api/index.ts'
import type { Running } from '../base/index.ts'

/** Read access to a cache. Objects are shared and frozen by convention: never change them. */
export interface Lister<T extends KubeObject> {
  /** `namespace` is undefined for kinds without one. */
  get(namespace: string | undefined, name: string): T | undefined
  list(namespace?: string): readonly T[]
  /** Objects whose `index` function returned `value`; throws for an index that was not declared. */
  byIndex(index: string, value: string): readonly T[]
}

export type Change<T extends KubeObject> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'updated'; readonly object: T; readonly previous: T }
  | { readonly type: 'deleted'; readonly object: T }

/** Index name to the values under which an object is found. */
export type Indexes<T extends KubeObject> = Readonly<Record<string, (object: T) => readonly string[]>>

/** A cache of one kind that follows the server by list and watch, and tells of each change after it is in the cache. */
export interface Informer<T extends KubeObject> extends Lister<T> {
  /** True from the first complete list on; stays true when the connection breaks. */
  readonly synced: boolean
  /** Resolves at the first complete list; rejects when `signal` aborts before. */
  waitForSync(signal: AbortSignal): Promise<void>
  /**
   * `handler` gets the present objects as `added` at once, then every change in order. Never throws into the
   * reflector: what a handler throws is logged. Returns how to stop listening.
   */
  onChange(handler: (change: Change<T>) => void): () => void
  start(signal: AbortSignal): Promise<Running>
}
