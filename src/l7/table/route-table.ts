import type { RoutePolicy } from './policy.ts'

/**
 * What the engine serves. Serialisable by structured clone, so that it travels to worker processes;
 * maps, not records, because hosts and names come from users (`__proto__` is a legal key).
 */
export interface RouteTable {
  readonly hosts: ReadonlyMap<HostPattern, HostRoutes>
  /** Backends by an opaque identifier that routes refer to. */
  readonly backends: ReadonlyMap<string, Backend>
  /** Which certificate is served for a host; the pattern `''` names the default one. */
  readonly tlsHosts: ReadonlyMap<HostPattern, string>
  readonly certificates: ReadonlyMap<string, Certificate>
  /** Hosts whose clients are asked for a certificate. */
  readonly clientAuth?: ReadonlyMap<HostPattern, ClientAuth>
  /** Hosts whose TLS connections go to a backend as they are, by server name. */
  readonly passthrough?: ReadonlyMap<HostPattern, Target>
  /** Answers to `/.well-known/acme-challenge/TOKEN` over plain HTTP, before any host (RFC 8555 section 8.3): token → key authorization. */
  readonly challenges?: ReadonlyMap<string, string>
  /** Takes what no host and no path takes. */
  readonly fallback?: Target
}

/** `web.example.com`, `*.example.com` (exactly one label) or `''` (any host); lower case, without port or final dot. */
export type HostPattern = string

export interface HostRoutes {
  readonly paths: readonly PathRoute[]
  /** Takes the paths of this host that no path takes; before the table's fallback. */
  readonly fallback?: Target
}

export interface PathRoute {
  /**
   * `exact`: the same path; `prefix`: the same path elements first; `regex`: `path` is an RE2 expression that matches from the start of the
   * path on, without case (as ingress-nginx has it). The longest rule wins; an exact one over every
   * regex (as nginx's `=`), of equal length exact before prefix, regex before prefix.
   */
  readonly match: 'exact' | 'prefix' | 'regex'
  readonly path: string
  readonly target: Target
}

export interface Target {
  readonly backend: string
  /** For logs, metrics and `explain`, such as the Ingress that asked for this route; the engine does not interpret them. */
  readonly labels: Readonly<Record<string, string>>
  readonly policy?: RoutePolicy
}

export interface Backend {
  readonly endpoints: readonly Endpoint[]
  /**
   * `round-robin` when left out. `least-requests`: of two random endpoints the one with fewer requests in progress; `ewma`: of two, the one with
   * the lower recent latency times its requests in progress.
   */
  readonly balance?: 'round-robin' | 'least-requests' | 'ewma'
  /** What the pods speak; `http` when left out. `h2c` and `h2` carry gRPC with trailers. */
  readonly protocol?: 'http' | 'https' | 'h2c' | 'h2'
  readonly tls?: BackendTls
  readonly health?: HealthCheck
  /** A new endpoint's share grows over this time. */
  readonly slowStartMs?: number
  /** Why there is no endpoint; the client is told this in the 503 answer. */
  readonly unavailable?: string
}

export interface Endpoint {
  readonly address: string
  readonly port: number
  /** 1 when left out; 0 gets requests only when no other endpoint may. */
  readonly weight?: number
}

/** TLS to pods (`https`, `h2`). */
export interface BackendTls {
  /** Sent as SNI and, when `verify`, expected in the certificate. */
  readonly serverName?: string
  /** PEM; without it a pod's certificate is not checked. */
  readonly ca?: string
  readonly verify: boolean
  readonly verifyDepth?: number
  readonly clientCertificate?: Certificate
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
}

/** An active check of each endpoint, by GET. */
export interface HealthCheck {
  readonly path: string
  readonly host?: string
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Checks in a row that change an endpoint's state. */
  readonly healthyAfter: number
  readonly unhealthyAfter: number
  /** Statuses that are well, from and to. */
  readonly statuses: readonly [from: number, to: number]
}

/** What is asked of clients of a host (mTLS). */
export interface ClientAuth {
  /** PEM of the authorities. */
  readonly ca: string
  /**
   * `required`: no certificate, or one that does not verify, is answered 400; `optional`: none is well; `optional-no-ca`: also one of an
   * unknown issuer (as nginx's `optional_no_ca`; an expired one is not).
   */
  readonly verify: 'required' | 'optional' | 'optional-no-ca'
  /** Most certificates between the client's and the root, as OpenSSL counts. */
  readonly depth: number
  /** Send the client's certificate to the pod as `ssl-client-cert`; `ssl-client-verify` and the names are always sent. */
  readonly passToUpstream: boolean
  /** RE2 expression that the subject's whole common name must match (without `CN=`); 403 otherwise. */
  readonly commonName?: string
  /** Where a client that is refused is sent instead. */
  readonly errorPage?: string
}

/** PEM texts; `chain` is the leaf first. Holds a private key: never log, never write to a file. */
export interface Certificate {
  readonly chain: string
  readonly key: string
}

/** A change of a table: each entry replaces one, `null` removes one; what is not named stays. */
export interface TableDelta {
  readonly hosts?: ReadonlyMap<HostPattern, HostRoutes | null>
  readonly backends?: ReadonlyMap<string, Backend | null>
  readonly tlsHosts?: ReadonlyMap<HostPattern, string | null>
  readonly certificates?: ReadonlyMap<string, Certificate | null>
  readonly clientAuth?: ReadonlyMap<HostPattern, ClientAuth | null>
  readonly passthrough?: ReadonlyMap<HostPattern, Target | null>
  readonly challenges?: ReadonlyMap<string, string | null>
  readonly fallback?: Target | null
}

export const emptyTable: RouteTable = { hosts: new Map(), backends: new Map(), tlsHosts: new Map(), certificates: new Map() }
