import type { Kind, KubeObject } from '../api/index.ts'

/**
 * The API as a typed port: one contract, over HTTP to any Kubernetes API server and in process to ours.
 * Every method rejects with `ApiError` for what the server refused, and with `ConnectionError` when no answer came.
 * Objects that are returned are shared and must not be changed.
 */
export interface Client {
  get<T extends KubeObject>(kind: Kind<T>, ref: ObjectRef, options?: ReadOptions): Promise<T>
  /** One page; follow `continue` for the rest. */
  list<T extends KubeObject>(kind: Kind<T>, options?: ListOptions): Promise<ObjectList<T>>
  /**
   * Events after `resourceVersion`. Ends when the server ends it or `signal` aborts; throws `ApiError` `Expired`
   * when the revision is compacted (as HTTP status or in the stream).
   */
  watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** Creates in `object.metadata.namespace`. */
  create<T extends KubeObject>(kind: Kind<T>, object: NewObject<T>, options?: WriteOptions): Promise<T>
  /** Replaces; with a `metadata.resourceVersion` only that version, else `Conflict`. */
  update<T extends KubeObject>(kind: Kind<T>, object: T, options?: SubresourceWriteOptions): Promise<T>
  patch<T extends KubeObject>(kind: Kind<T>, ref: ObjectRef, patch: Patch, options?: SubresourceWriteOptions): Promise<T>
  /** Resolves with the object when the server sends it, as it does while finalizers or a grace period hold it; else undefined. */
  delete<T extends KubeObject>(kind: Kind<T>, ref: ObjectRef, options?: DeleteOptions): Promise<T | undefined>
  /** Posts to a subresource, such as `binding`, `eviction` or `token`; resolves with what the server answers. */
  createSubresource(kind: Kind, ref: ObjectRef, request: SubresourceRequest): Promise<unknown>
}

export interface ObjectRef {
  readonly namespace?: string
  readonly name: string
}

export type NewObject<T extends KubeObject> = Omit<T, 'apiVersion' | 'kind'> & {
  readonly apiVersion?: string
  readonly kind?: string
}

export interface ReadOptions {
  readonly signal?: AbortSignal
}

export interface Selection {
  /** All namespaces when left out. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export interface ListOptions extends Selection, ReadOptions {
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersion?: string
}

export interface WatchOptions extends Selection {
  readonly resourceVersion?: string
  /** Ask for the present state as ADDED events, closed by a BOOKMARK with the annotation `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean
  readonly timeoutSeconds?: number
  readonly signal: AbortSignal
}

export interface ObjectList<T extends KubeObject> {
  readonly items: readonly T[]
  readonly resourceVersion: string
  readonly continue?: string
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEventsEnd: boolean }

export interface WriteOptions extends ReadOptions {
  readonly dryRun?: boolean
  readonly fieldManager?: string
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict'
}

export interface SubresourceWriteOptions extends WriteOptions {
  /** `finalize` is a Namespace's. */
  readonly subresource?: 'status' | 'scale' | 'finalize'
}

export interface SubresourceRequest extends WriteOptions {
  readonly subresource: 'binding' | 'eviction' | 'token'
  readonly body: unknown
}

export type Patch =
  | { readonly type: 'json'; readonly operations: readonly unknown[] }
  | { readonly type: 'merge' | 'strategic'; readonly value: unknown }

export interface DeleteOptions extends ReadOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun?: boolean
}

/** No answer came: refused, reset, timed out, or the stream broke. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}
