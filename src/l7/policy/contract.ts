import type { OutsideTarget, RoutePolicy } from '../table/index.ts'

/** A request as policies see it; one object serves all requests of a connection. */
export interface RequestView {
  readonly method: string
  /** In canonical form. */
  readonly host: string
  /** As the client wrote it. */
  readonly authority: string
  /** In canonical form. */
  readonly path: string
  /** Empty, or with its `?`. */
  readonly query: string
  /** Over TLS, or said so by a trusted proxy. */
  readonly isSecure: boolean
  readonly clientAddress: string
  readonly requestId: string
  /** Of the route's regular expression; the first is the whole match. */
  readonly captures: readonly string[] | undefined
  /** The value of a field, its lines joined by `, ` (Cookie: `; `); `name` in lower case. */
  field(name: string): string | undefined
}

/** An answer instead of a pod's. */
export interface Answer {
  readonly status: number
  /** One word for `X-Fairway-Reason` and metrics, of `[a-z0-9-]`. */
  readonly reason: string
  /** Lines, each with its CRLF; no framing, no Content-Type. */
  readonly fields: string
  readonly body: string
  readonly contentType: string
}

/** Fields that authentication sets on the request to the pod. */
export interface FieldLines {
  /** Lower-case names that are taken out of the client's request first. */
  readonly remove: readonly string[]
  /** Lines, each with its CRLF. */
  readonly lines: string
}

export type Verdict =
  | { readonly answer: Answer }
  /** `responseFields`: lines for the answer to the client, such as Set-Cookie. */
  | { readonly requestFields: FieldLines | undefined; readonly responseFields: string }

export interface CompiledPolicy {
  readonly policy: RoutePolicy
  /** What can be decided at once; undefined: go on. */
  admit(request: RequestView): Answer | undefined
  /** `done` is called once, perhaps at once; the returned function cancels. */
  readonly authorize?: (request: RequestView, done: (verdict: Verdict) => void) => () => void
  /** Called once for each request that `admit` let through, when it has ended. */
  readonly release?: (request: RequestView) => void
  readonly canary?: (
    request: RequestView,
  ) => { readonly backend: string; readonly labels: Readonly<Record<string, string>> } | undefined
  /** Path and query that the pod sees. */
  readonly rewrite?: (request: RequestView) => string
  readonly upstreamHost?: (request: RequestView) => string
  /** Edits field lines on their way to the pod. */
  readonly editRequest?: (fields: string, request: RequestView) => string
  /** Edits field lines on their way to the client. */
  readonly editResponse?: (fields: string, status: number, request: RequestView) => string
  readonly sticky?: {
    /** The endpoint that the client's cookie asks for. */
    wanted(request: RequestView): string | undefined
    /** The Set-Cookie line for an endpoint. */
    cookie(id: string, request: RequestView): string
  }
  readonly hashKey?: (request: RequestView) => string
  readonly mirror?: (request: RequestView) => MirrorRequest
}

export interface MirrorRequest {
  readonly target: OutsideTarget
  readonly path: string
  readonly host: string | undefined
  readonly withBody: boolean
}
