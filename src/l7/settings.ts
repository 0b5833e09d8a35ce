/** What the engine allows; every value has a default. Times of 0 mean no limit. */
export interface EngineSettings {
  /** Longest request line (414) and head (431), most fields (431). */
  readonly maxStartLineBytes: number
  readonly maxHeadBytes: number
  readonly maxFields: number
  /** Longest request body (413). */
  readonly maxBodyBytes: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly maxRequestsPerConnection: number
  /** From the first byte of a head, or from the accept, to its end (408). */
  readonly headTimeoutMs: number
  /** Between two requests of a connection. */
  readonly keepAliveTimeoutMs: number
  /** Between two pieces of a request body (408) or of a response body. */
  readonly bodyTimeoutMs: number
  /** A peer that takes nothing of what we write. */
  readonly writeTimeoutMs: number
  /** 504. */
  readonly connectTimeoutMs: number
  /** From the end of the request to the response's head (504). */
  readonly responseTimeoutMs: number
  /** An upgraded connection without a byte in either direction. */
  readonly tunnelTimeoutMs: number
  /** Shorter than what pods keep idle connections (Node: 5 s). */
  readonly upstreamIdleTimeoutMs: number
  readonly maxIdlePerEndpoint: number
  /** Endpoints tried for one request, the first included. */
  readonly maxTries: number
  /** CIDRs whose X-Forwarded-* fields are believed. */
  readonly trustedProxies: readonly string[]
  /** How long requests may take after a stop. */
  readonly drainTimeoutMs: number
  readonly tlsHandshakeTimeoutMs: number
}

export const defaultSettings: EngineSettings = {
  maxStartLineBytes: 8_192,
  maxHeadBytes: 32_768,
  maxFields: 128,
  maxBodyBytes: Number.MAX_SAFE_INTEGER,
  maxConnections: 50_000,
  maxConnectionsPerAddress: 0,
  maxRequestsPerConnection: 100_000,
  headTimeoutMs: 15_000,
  keepAliveTimeoutMs: 75_000,
  bodyTimeoutMs: 60_000,
  writeTimeoutMs: 60_000,
  connectTimeoutMs: 5_000,
  responseTimeoutMs: 60_000,
  tunnelTimeoutMs: 3_600_000,
  upstreamIdleTimeoutMs: 4_000,
  maxIdlePerEndpoint: 1_024,
  maxTries: 3,
  trustedProxies: [],
  drainTimeoutMs: 10_000,
  tlsHandshakeTimeoutMs: 10_000,
}
