import type { Clock, Logger } from '../../base/index.ts'
import type { ApiAnswer, ApiRequest, PodLogs, UserInfo } from '../../client/index.ts'
import type { Store } from '../../store/index.ts'
import type { Caches } from '../cache/index.ts'
import type { Resource, Resources } from './resources.ts'

/** What every verb works with. */
export interface RestContext {
  readonly store: Store
  readonly caches: Caches
  readonly resources: Resources
  readonly clock: Clock
  readonly log: Logger
  readonly podLogs: PodLogs | undefined
  /** Ends every watch when the server stops. */
  readonly stopping: AbortSignal
  authorize(user: UserInfo, access: Access): boolean
}

/** What a request wants to do, as authorization sees it. */
export type Access =
  | {
      readonly verb: string
      readonly group: string
      readonly resource: string
      readonly subresource?: string
      readonly namespace?: string
      readonly name?: string
    }
  | { readonly verb: string; readonly path: string }

/** A request for one resource that is served. */
export interface ResourceRequest extends ApiRequest {
  readonly target: Resource
  /** Fields that occur twice in the body's text. */
  readonly duplicateFields?: readonly string[]
}

/** Answers a request; rejects with `ApiError`. */
export type Handler = (context: RestContext, request: ResourceRequest) => Promise<ApiAnswer>

/** An answer with one object. */
export const objectAnswer = (object: unknown, code = 200, warnings: readonly string[] = []): ApiAnswer => ({
  kind: 'object',
  code,
  object,
  warnings,
})
