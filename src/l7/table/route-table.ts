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
  /** `exact`: the same path; `prefix`: the same path elements first. */
  readonly match: 'exact' | 'prefix'
  readonly path: string
  readonly target: Target
}

export interface Target {
  readonly backend: string
  /** For logs, metrics and `explain`, such as the Ingress that asked for this route; the engine does not interpret them. */
  readonly labels: Readonly<Record<string, string>>
}

export interface Backend {
  readonly endpoints: readonly Endpoint[]
  readonly balance?: 'round-robin' | 'least-connections'
  /** Why there is no endpoint; the client is told this in the 503 answer. */
  readonly unavailable?: string
}

export interface Endpoint {
  readonly address: string
  readonly port: number
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
  readonly fallback?: Target | null
}

export const emptyTable: RouteTable = { hosts: new Map(), backends: new Map(), tlsHosts: new Map(), certificates: new Map() }
