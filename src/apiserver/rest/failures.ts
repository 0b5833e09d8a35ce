import { ApiError, invalid, type Problem, type Status } from '../../api/index.ts'
import type { WriteFailedError } from '../../store/index.ts'

/** Failures that only a server makes; the common ones are in `api`. */
export const unsupportedMediaType = (message: string): ApiError =>
  new ApiError({ code: 415, reason: 'UnsupportedMediaType', message })

export const notAcceptable = (accepted: readonly string[]): ApiError =>
  new ApiError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${accepted.join(', ')}`,
  })

export const unauthorized = (): ApiError => new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' })

export const pageNotFound = (): ApiError =>
  new ApiError({ code: 404, reason: 'NotFound', message: 'the server could not find the requested resource', details: {} })

export const methodNotAllowed = (message: string): ApiError =>
  new ApiError({ code: 405, reason: 'MethodNotAllowed', message, details: {} })

export const tooLarge = (limit: number): ApiError =>
  new ApiError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: limit is ${limit}`,
  })

export const internalError = (message: string): ApiError =>
  new ApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  })

export const serviceUnavailable = (message: string): ApiError =>
  new ApiError({ code: 503, reason: 'ServiceUnavailable', message })

/** 507 where the disk is full, which waiting alone does not mend; 503 where the store failed otherwise. Nothing of the write is stored. */
export const notStored = (error: WriteFailedError): ApiError =>
  error.reason === 'full'
    ? new ApiError({ code: 507, reason: 'InsufficientStorage', message: error.message }, { cause: error })
    : new ApiError({ code: 503, reason: 'ServiceUnavailable', message: error.message }, { cause: error })

export const tooManyRequests = (message: string): ApiError =>
  new ApiError({ code: 429, reason: 'TooManyRequests', message, details: { retryAfterSeconds: 1 } })

/** The client has seen a later revision than this server has. */
export const tooLargeResourceVersion = (wanted: number, current: number): ApiError =>
  new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
  })

/** 422 about query options; `kind` is theirs, such as `ListOptions`. */
export const invalidOptions = (kind: string, problems: readonly Problem[]): ApiError =>
  invalid({ group: 'meta.k8s.io', plural: '', kind, name: '' }, problems)

/** 410 whose Status carries a token with which the rest of the list can still be had, though not consistently. */
export class ExpiredContinueError extends ApiError {
  readonly #token: string
  constructor(token: string) {
    super({ code: 410, reason: 'Expired', message: EXPIRED_CONTINUE })
    this.#token = token
  }
  override get status(): Status {
    return { ...super.status, metadata: { continue: this.#token } }
  }
}

const EXPIRED_CONTINUE =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
  'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
  'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
  'deleted between the time the first chunk was returned and now may show up in the list.'
