/**
 * What a route does besides choosing a backend. Typed and closed: whoever fills it in (annotations, a cloud's rules) has judged every
 * value; the engine interprets no text. Serialisable by structured clone. Times in milliseconds, sizes in bytes, `0` for no limit.
 *
 * Order: `refusal`, `redirects`, `access`, `cors` preflight, `limits`, `basicAuth` and `externalAuth`, `answer`, `canaries`, then the request is
 * edited and sent.
 */
export interface RoutePolicy {
  /** A setting that guards this route could not be read: nobody gets through (fail closed). */
  readonly refusal?: { readonly status: number; readonly reason: string }
  /** The first that applies answers. */
  readonly redirects?: readonly Redirect[]
  readonly access?: AccessPolicy
  /** `any`: either `access` or the authentication is enough; `all` when left out. */
  readonly satisfy?: 'all' | 'any'
  readonly cors?: CorsPolicy
  readonly limits?: RateLimits
  readonly basicAuth?: BasicAuth
  readonly externalAuth?: ExternalAuth
  /** Answers instead of a backend. */
  readonly answer?: FixedAnswer
  /** The first whose rule takes the request replaces the target's backend. */
  readonly canaries?: readonly Canary[]
  /**
   * The path that the pod sees. The request's query follows it; after a `?` of the template's own, joined with `&` (as nginx has it).
   */
  readonly rewrite?: Template
  /** The Host that the pod sees. */
  readonly upstreamHost?: Template
  readonly requestFields?: FieldEdits
  readonly responseFields?: FieldEdits
  readonly maxBodyBytes?: number
  /** Read the request's body whole before a pod is chosen (bounded by `maxBodyBytes` and by the engine). */
  readonly bufferRequest?: boolean
  readonly timeouts?: { readonly connectMs?: number; readonly sendMs?: number; readonly readMs?: number }
  readonly retry?: RetryPolicy
  readonly sticky?: StickyCookie
  /** Requests with the same value go to the same endpoint, while it is there; `subset` endpoints take turns when given. */
  readonly hashBy?: { readonly key: Template; readonly subset?: number }
  /** Answers of a pod with these statuses are replaced by what `backend` answers. */
  readonly errorPages?: {
    readonly statuses: readonly number[]
    readonly backend: string
    readonly labels: Readonly<Record<string, string>>
  }
  readonly mirror?: Mirror
  readonly cookieRewrite?: { readonly domain?: readonly TextPair[]; readonly path?: readonly TextPair[] }
  /** Of `Location` and `Refresh`. */
  readonly locationRewrite?: TextPair
  /** False: no access log for this route. */
  readonly accessLog?: boolean
  /** False: no spans for this route. */
  readonly tracing?: boolean
}

/** A text with variables, parsed by whoever filled it in; the engine joins it. */
export type Template = readonly (string | Variable)[]

export type Variable =
  | { readonly of: 'host' | 'scheme' | 'method' | 'path' | 'query' | 'requestUri' | 'clientAddress' | 'requestId' }
  /** `https://host/path?query` of the request, or only `/path?query`, percent-encoded for use in a query. */
  | { readonly of: 'escapedUrl' | 'escapedRequestUri' }
  /** Of the route's regular expression; 0 is the whole match. */
  | { readonly of: 'capture'; readonly index: number }
  /** `name` in lower case; empty when the request has none. */
  | { readonly of: 'header' | 'cookie' | 'argument'; readonly name: string }

export interface TextPair {
  readonly from: string
  readonly to: string
}

export interface Redirect {
  readonly status: 301 | 302 | 303 | 307 | 308
  /** `plain-http`: only requests that did not come over TLS (a trusted proxy's X-Forwarded-Proto is believed); never ACME challenges. */
  readonly when: 'always' | 'plain-http'
  /** An absolute URL or a path. Bytes of the request in it are made safe. */
  readonly to: Template
}

/** CIDRs of client addresses. `deny` wins; with `allow`, others are refused (403). */
export interface AccessPolicy {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
}

export interface CorsPolicy {
  /** `*`, `https://a.example`, `https://*.example` (one or more labels); compared without case. */
  readonly origins: readonly string[]
  readonly methods: string
  readonly headers: string
  readonly exposeHeaders?: string
  readonly allowCredentials: boolean
  readonly maxAgeSeconds: number
}

export interface RateLimits {
  /** Identifies the counters over updates of the table and over routes that share them. */
  readonly key: string
  readonly requestsPerSecond?: number
  readonly requestsPerMinute?: number
  /** Of one client address at a time. */
  readonly connections?: number
  /** Requests above the rate that may come at once: the rate times this. */
  readonly burstMultiplier: number
  /** CIDRs that are not limited. */
  readonly exempt?: readonly string[]
  /** 429 or 503. */
  readonly status: number
}

export interface BasicAuth {
  readonly realm: string
  /** User → hash: `$apr1$`, `$2a$`/`$2b$`/`$2y$`, `{SHA}`, `{SSHA}`, `$5$`, `$6$`. Secret: never logged. */
  readonly users: ReadonlyMap<string, string>
}

/** Asks a service before each request: 2xx lets it through, 401 and 403 are the answer, anything else is 500. */
export interface ExternalAuth {
  readonly target: OutsideTarget
  /** Path and query of the question. */
  readonly path: Template
  readonly method: string
  /** Where a client that gets 401 is sent. */
  readonly signin?: Template
  /** Fields of the answer that go to the pod, in lower case. */
  readonly responseFields: readonly string[]
  /** Fields that are set on the question. */
  readonly requestFields?: FieldEdits
  /** `Set-Cookie` of the answer goes to the client also when the pod's status is an error. */
  readonly alwaysSetCookie?: boolean
  readonly cache?: {
    readonly key: Template
    readonly durations: readonly { readonly statuses: readonly number[]; readonly ms: number }[]
  }
  readonly keepaliveConnections?: number
  readonly timeoutMs: number
}

/**
 * A server that a user named in a setting. It is resolved when used; loopback, link-local, metadata and the engine's own addresses are
 * refused unless the engine's settings allow them (SSRF).
 */
export interface OutsideTarget {
  readonly scheme: 'http' | 'https'
  /** A name or an address. */
  readonly host: string
  readonly port: number
}

export interface FixedAnswer {
  readonly status: number
  readonly contentType?: string
  readonly body?: string
}

export interface Canary {
  readonly backend: string
  readonly labels: Readonly<Record<string, string>>
  /** Decides alone when the request has it: `always`/`never`, or a value, or a pattern (then other values fall through to what follows). */
  readonly header?: { readonly name: string; readonly value?: string; readonly pattern?: string }
  /** `always`/`never`; other values fall through. */
  readonly cookie?: string
  /** `weight` of `total` requests. */
  readonly weight?: number
  readonly total?: number
}

/** `set` replaces or adds, `add` adds, `remove` takes out. Names in lower case; never framing or hop-by-hop fields. */
export interface FieldEdits {
  readonly set?: readonly (readonly [name: string, value: Template])[]
  readonly add?: readonly (readonly [name: string, value: Template])[]
  readonly remove?: readonly string[]
  /** Answers: `set` and `add` only for these statuses (nginx: 200, 201, 204, 206, 301–304, 307, 308); all when left out. */
  readonly statuses?: readonly number[]
}

export type RetryCondition = 'connect' | 'error' | 'timeout' | 'invalid-header' | 'non-idempotent' | number

export interface RetryPolicy {
  /** `connect` alone: nothing was sent. `error`: also a connection lost before an answer. A number: that status of a pod. */
  readonly on: readonly RetryCondition[]
  readonly tries: number
  /** For all tries together. */
  readonly timeoutMs: number
}

export interface StickyCookie {
  readonly name: string
  /** `balanced`: clients move when endpoints come and go; `persistent`: only when theirs is gone. */
  readonly mode: 'balanced' | 'persistent'
  readonly path: string
  readonly domain?: string
  readonly sameSite?: 'None' | 'Lax' | 'Strict'
  /** Omit `SameSite=None` for clients that are known to reject it. */
  readonly conditionalSameSiteNone?: boolean
  /** Undefined: when the request came over TLS. */
  readonly secure?: boolean
  readonly expiresSeconds?: number
  readonly maxAgeSeconds?: number
  readonly changeOnFailure?: boolean
}

/** Sends a copy of each request; its answer is thrown away and its failure is only counted. */
export interface Mirror {
  readonly target: OutsideTarget
  readonly path: Template
  readonly host?: string
  readonly withBody: boolean
}
