/** What a caller of the cloud can do about a failure. */
export type CloudFailure =
  /** Too many calls. Nothing was done. */
  | 'throttled'
  /** Another write is at work on the load balancer, or it is being created. Nothing was done. */
  | 'busy'
  /** A limit of the account, or no credit. Nothing was done. */
  | 'quota'
  /** The request is wrong or not allowed. Nothing was done. */
  | 'refused'
  /** What was named is not there. Nothing was done. */
  | 'gone'
  /** A task that was accepted failed. */
  | 'failed'
  /** No answer, or an internal failure: whether it was done is not known. */
  | 'unavailable'

export interface CloudErrorDetails extends ErrorOptions {
  readonly action: string
  /** The API's own, such as `LimitExceeded`; empty where no answer came. */
  readonly code: string
  readonly requestId?: string
}

/** A call to the cloud's API that failed. The message holds no request id and no secret, so that it is the same for the same failure. */
export class CloudError extends Error {
  override readonly name = 'CloudError'
  readonly failure: CloudFailure
  readonly action: string
  readonly code: string
  readonly requestId: string | undefined
  constructor(failure: CloudFailure, message: string, { action, code, requestId, ...options }: CloudErrorDetails) {
    super(message, options)
    this.failure = failure
    this.action = action
    this.code = code
    this.requestId = requestId
  }
}

export const isCloudError = (error: unknown, ...failures: readonly CloudFailure[]): error is CloudError =>
  error instanceof CloudError && (failures.length === 0 || failures.includes(error.failure))

/** By the code of an answer; the first pattern that fits. */
const CLASSES: readonly (readonly [RegExp, CloudFailure])[] = [
  [/^RequestLimitExceeded/, 'throttled'],
  [/^FailedOperation\.(ResourceInOperating|InvalidLBStatus)$/, 'busy'],
  [/^(LimitExceeded|ResourceInsufficient|.*(Balance|Arrears|Quota))/, 'quota'],
  [/^(InvalidParameter\.(LBIdNotFound|ListenerIdNotFound|LocationNotFound)|ResourceNotFound)/, 'gone'],
  [/^(AuthFailure|UnauthorizedOperation|Invalid|Missing|Unsupported|UnknownParameter|OperationDenied|NoSuchVersion)/, 'refused'],
  [/^(FailedOperation)/, 'failed'],
]

export const failureOf = (code: string): CloudFailure => CLASSES.find(([pattern]) => pattern.test(code))?.[1] ?? 'unavailable'
