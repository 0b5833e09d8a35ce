/**
 * What the in-process client needs of an API server: a request after parsing, before serialising.
 * The API server's HTTP side makes the same requests, so that both ways share every rule.
 */
export interface ApiPort {
  /** Rejects with `ApiError`. */
  execute(request: ApiRequest): Promise<ApiAnswer>
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

export interface ApiRequest {
  readonly verb: Verb
  readonly group: string
  readonly version: string
  /** Plural. */
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  /** Query parameters as in the URL: `labelSelector`, `limit`, `dryRun`, ... */
  readonly query: Readonly<Record<string, string>>
  /** The decoded body: an object, a patch, or DeleteOptions. */
  readonly body?: unknown
  readonly patchType?: 'json' | 'merge' | 'strategic' | 'apply'
  readonly user: UserInfo
  /** Default field manager: the user agent up to the first slash. */
  readonly userAgent: string
  readonly signal?: AbortSignal
}

export interface UserInfo {
  readonly name: string
  readonly groups: readonly string[]
}

export type ApiAnswer =
  | { readonly kind: 'object'; readonly code: number; readonly object: unknown; readonly warnings: readonly string[] }
  | { readonly kind: 'watch'; readonly events: AsyncIterable<RawWatchEvent> }
  | { readonly kind: 'stream'; readonly contentType: string; readonly chunks: AsyncIterable<Uint8Array> }

/** `object` is the API object, or a Status for ERROR; shared, not to be changed. */
export interface RawWatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: unknown
}
