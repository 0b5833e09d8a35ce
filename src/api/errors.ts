import type { Problem } from './kind.ts'
import type { Status, StatusDetails } from './meta/status.ts'

/** `metav1.StatusReason`. */
export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'Invalid'
  | 'Timeout'
  | 'ServerTimeout'
  | 'TooManyRequests'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'InternalError'
  | 'ServiceUnavailable'
  /** Not of Kubernetes: the disk is full. */
  | 'InsufficientStorage'

/** A failure of the API, with the Status that a client gets or got. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: number
  readonly reason: StatusReason | undefined
  readonly details: StatusDetails | undefined

  constructor(status: ApiFailure, options?: ErrorOptions) {
    super(status.message, options)
    this.code = status.code
    this.reason = status.reason
    this.details = status.details
  }

  /** The `Status` object of this failure. */
  get status(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      details: this.details,
      code: this.code,
    }
  }
}

export interface ApiFailure {
  readonly code: number
  readonly reason?: StatusReason
  readonly message: string
  readonly details?: StatusDetails
}

const hasReason = (error: unknown, ...reasons: readonly StatusReason[]): boolean =>
  error instanceof ApiError && error.reason !== undefined && reasons.includes(error.reason)

export const isNotFound = (error: unknown): boolean => hasReason(error, 'NotFound')
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 'AlreadyExists')
export const isConflict = (error: unknown): boolean => hasReason(error, 'Conflict')
export const isInvalid = (error: unknown): boolean => hasReason(error, 'Invalid')
/** The revision asked for is compacted: list again. */
export const isExpired = (error: unknown): boolean => hasReason(error, 'Expired', 'Gone')

/** What an error is about, for its message: `services "web"` in a group. */
export interface Subject {
  readonly group: string
  readonly plural: string
  readonly kind: string
  readonly name: string
}

const qualified = (subject: Subject): string => (subject.group === '' ? subject.plural : `${subject.plural}.${subject.group}`)

const about = (subject: Subject): StatusDetails => ({
  name: subject.name,
  group: subject.group || undefined,
  kind: subject.plural,
})

export const notFound = (subject: Subject): ApiError =>
  new ApiError({
    code: 404,
    reason: 'NotFound',
    message: `${qualified(subject)} "${subject.name}" not found`,
    details: about(subject),
  })

export const alreadyExists = (subject: Subject): ApiError =>
  new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualified(subject)} "${subject.name}" already exists`,
    details: about(subject),
  })

export const conflict = (subject: Subject, cause: string): ApiError =>
  new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualified(subject)} "${subject.name}": ${cause}`,
    details: about(subject),
  })

export const badRequest = (message: string): ApiError => new ApiError({ code: 400, reason: 'BadRequest', message })

export const forbidden = (subject: Subject, cause: string): ApiError =>
  new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${qualified(subject)} "${subject.name}" is forbidden: ${cause}`,
    details: about(subject),
  })

export const expired = (message: string): ApiError => new ApiError({ code: 410, reason: 'Expired', message })

/** 422 with one cause for each problem; `kind.group` names the kind as Kubernetes does (`Service "web" is invalid`). */
export const invalid = (subject: Subject, problems: readonly Problem[]): ApiError => {
  const lines = problems.map(problemText)
  const kind = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`
  const list = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${kind} "${subject.name}" is invalid: ${list}`,
    details: {
      name: subject.name,
      group: subject.group || undefined,
      kind: subject.kind,
      causes: problems.map((problem) => ({
        reason: `FieldValue${problem.type}`,
        message: causeText(problem),
        field: problem.path,
      })),
    },
  })
}

const problemText = (problem: Problem): string => `${problem.path}: ${causeText(problem)}`

const causeText = (problem: Problem): string => {
  const detail = problem.detail === '' ? '' : `: ${problem.detail}`
  switch (problem.type) {
    case 'Required':
      return `Required value${detail}`
    case 'Forbidden':
      return `Forbidden${detail}`
    case 'TooLong':
      return `Too long${detail}`
    case 'TooMany':
      return `Too many: ${shown(problem.value)}${detail}`
    case 'NotSupported':
      return `Unsupported value: ${shown(problem.value)}${detail}`
    case 'Duplicate':
      return `Duplicate value: ${shown(problem.value)}${detail}`
    case 'NotFound':
      return `Not found: ${shown(problem.value)}${detail}`
    case 'Invalid':
      return `Invalid value: ${shown(problem.value)}${detail}`
    default:
      return problem.type satisfies never
  }
}

const SHOWN_LIMIT = 200

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'null'
  return text.length > SHOWN_LIMIT ? `${text.slice(0, SHOWN_LIMIT)}...` : text
}
