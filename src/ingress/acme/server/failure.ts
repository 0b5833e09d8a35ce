import type { FailureKind } from '../backoff.ts'

export interface ProblemDocument {
  readonly type?: string
  readonly detail?: string
  readonly status?: number
  readonly subproblems?: readonly ProblemDocument[]
  readonly identifier?: { readonly value?: string }
}

/** Why the ACME server did not do what it was asked; in its own words where it had any. */
export class AcmeFailure extends Error {
  override readonly name = 'AcmeFailure'
  readonly kind: FailureKind
  /** The end of the URN of RFC 8555 section 6.7, such as `rateLimited`; empty when the server named none. */
  readonly type: string
  readonly retryAfterMs: number | undefined

  constructor(kind: FailureKind, message: string, more: { readonly type?: string; readonly retryAfterMs?: number } = {}) {
    super(message)
    this.kind = kind
    this.type = more.type ?? ''
    this.retryAfterMs = more.retryAfterMs
  }
}

const URN = 'urn:ietf:params:acme:error:'

/** An error answer of the server (RFC 8555 section 6.7). */
export const failureOf = (status: number, problem: ProblemDocument, retryAfterMs?: number): AcmeFailure => {
  const type = typeOf(problem)
  const kind = kindOf(status, type)
  return new AcmeFailure(kind, problemText(problem) || `the ACME server answered ${status}`, {
    type,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** What a server says of a challenge, authorization or order that failed. */
export const refusalOf = (host: string | undefined, problem: ProblemDocument | undefined): AcmeFailure => {
  const text = problem === undefined ? 'the ACME server refused, and did not say why' : problemText(problem)
  return new AcmeFailure(
    problem === undefined ? 'refused' : kindOf(problem.status ?? 400, typeOf(problem)),
    host === undefined ? text : `${host}: ${text}`,
    {
      type: typeOf(problem ?? {}),
    },
  )
}

const kindOf = (status: number, type: string): FailureKind => {
  if (type === 'rateLimited' || status === 429) return 'rate-limited'
  return status >= 500 || type === 'serverInternal' || type === 'badNonce' ? 'unreachable' : 'refused'
}

const typeOf = ({ type = '' }: ProblemDocument): string => (type.startsWith(URN) ? type.slice(URN.length) : '')

const problemText = (problem: ProblemDocument): string => {
  const type = typeOf(problem)
  const own = [type, problem.detail].filter(Boolean).join(': ')
  const below = (problem.subproblems ?? []).map((each) => [each.identifier?.value, problemText(each)].filter(Boolean).join(': '))
  return [own, ...below].filter(Boolean).join('; ')
}

/** A problem document, or what there is of one. */
export const readProblem = (value: unknown): ProblemDocument => {
  if (typeof value !== 'object' || value === null) return {}
  const { type, detail, status, subproblems, identifier } = value as Readonly<Record<string, unknown>>
  const host = typeof identifier === 'object' && identifier !== null ? (identifier as { value?: unknown }).value : undefined
  return {
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof detail === 'string' ? { detail } : {}),
    ...(typeof status === 'number' ? { status } : {}),
    ...(Array.isArray(subproblems) ? { subproblems: subproblems.slice(0, 10).map(readProblem) } : {}),
    ...(typeof host === 'string' ? { identifier: { value: host } } : {}),
  }
}
