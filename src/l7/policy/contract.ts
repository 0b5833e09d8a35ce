import type { OutsideTarget, RoutePolicy } from '../table/index.ts'

/** A request as policies see it; one object is reused by all requests of a connection. */
export interface RequestView {
  readonly method: string
  /** Canonical. */
  readonly host: string
  /** As the client sent it. */
  readonly authority: string
  /** Canonical. */
  readonly path: string
  /** Empty, or with its `?`. */
  readonly query: string
  /** Over TLS, or said so by a trusted proxy. */
  readonly isSecure: boolean
  readonly clientAddress: string
  readonly requestId: string
  /** Of the route's regular expression; the first is the whole match. */
  readonly captures: readonly string[] | undefined
  /** All end-to-end field lines, each with its CRLF; external authentication passes them on. A fixed few are asked for when left out. */
  readonly fieldLines?: string
  /** `name` in lower case; several fields are joined by `, `, Cookie by `; `. */
  field(name: string): string | undefined
}

/** An answer instead of a pod's. */
export interface Answer {
  readonly status: number
  /** A word for `X-Fairway-Reason` and metrics: `[a-z0-9-]`. */
  readonly reason: string
  /** Field lines, each with its CRLF; neither `Content-Type` nor `Content-Length`. */
  readonly fields: string
  readonly body: string
  /** Empty: no such field. */
  readonly contentType: string
}

/** A change of field lines: what has a name in `remove` (lower case) goes, then `lines` (each with its CRLF) are added. */
export interface FieldLines {
  readonly remove: readonly string[]
  readonly lines: string
}

export type Verdict =
  | { readonly answer: Answer }
  | {
      readonly requestFields: FieldLines
      /** Lines for the client, such as Set-Cookie of external authentication. */
      readonly responseFields: string
      /** `responseFields` go with every status of the pod, not only with those that {@link takesAddedFields} names. */
      readonly isForAnyStatus: boolean
    }

export interface CompiledPolicy {
  readonly policy: RoutePolicy
  /**
   * Everything that is decided at once: refusal, redirects, access, CORS preflight, limits, and a fixed answer that no authentication
   * guards. Undefined: go on.
   */
  admit(request: RequestView): Answer | undefined
  /**
   * There when a request must be authenticated; also gives the fixed answer behind that. `done` is called exactly once, perhaps at once,
   * and never after the returned function, which cancels.
   */
  readonly authorize?: (request: RequestView, done: (verdict: Verdict) => void) => () => void
  /** Ends what `limits.connections` counts: called once for each request that {@link admit} let through, when it has ended. */
  readonly release?: (request: RequestView) => void
  /** A canary that takes this request. */
  readonly canary?: (
    request: RequestView,
  ) => { readonly backend: string; readonly labels: Readonly<Record<string, string>> } | undefined
  /** Path and query that the pod sees. */
  readonly rewrite?: (request: RequestView) => string
  readonly upstreamHost?: (request: RequestView) => string
  /** Edits field lines on their way to the pod. */
  readonly editRequest?: (fields: string, request: RequestView) => string
  /** Edits field lines of the engine's own answers on this route: edits and CORS. */
  readonly editAnswer?: (fields: string, status: number, request: RequestView) => string
  /** Edits field lines of a pod's answer: the same, and its cookies and redirects. */
  readonly editResponse?: (fields: string, status: number, request: RequestView) => string
  readonly sticky?: StickyPolicy
  readonly hashKey?: (request: RequestView) => string
  readonly mirror?: (request: RequestView) => MirrorRequest
}

export interface StickyPolicy {
  /** The endpoint id that the client's cookie asks for. */
  wanted(request: RequestView): string | undefined
  /** The Set-Cookie line, with its CRLF, for an endpoint id. */
  cookie(id: string, request: RequestView): string
}

export interface MirrorRequest {
  readonly target: OutsideTarget
  /** Path and query. */
  readonly path: string
  readonly host: string | undefined
  readonly withBody: boolean
}

/** Statuses of an answer to which nginx's `add_header` adds without `always`. */
export const takesAddedFields = (status: number): boolean => ADDED.has(status)
const ADDED: ReadonlySet<number> = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308])
