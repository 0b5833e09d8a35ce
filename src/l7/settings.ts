import type { TelemetrySettings } from './telemetry/settings.ts'

/** What the engine allows; every value has a default. Times of 0 mean no limit. */
export interface EngineSettings {
  readonly telemetry: TelemetrySettings
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
  /** Requests that one endpoint has at a time; others go elsewhere (503 when every endpoint is full). */
  readonly maxRequestsPerEndpoint: number
  /** An endpoint gets no requests for a while after so many failures, or refused connects, in a row; 0 for never. */
  readonly ejectAfterFailures: number
  readonly ejectAfterRefused: number
  /** The same after this share of failures and 502/503/504 among at least `ejectWindowRequests` in a window; 0 for never. */
  readonly ejectRatio: number
  readonly ejectWindowRequests: number
  readonly ejectWindowMs: number
  /** For how long: this, times how often it happened lately, up to the maximum. */
  readonly ejectionMs: number
  readonly maxEjectionMs: number
  /** Of a backend's endpoints; those that failed later stay. */
  readonly maxEjectedShare: number
  /** Retries of a backend as a share of its requests over the last 10 s; some are always allowed. */
  readonly retryShare: number
  readonly retriesPerSecond: number
  /** Active health checks at the same time. */
  readonly maxConcurrentChecks: number
  /** CIDRs whose X-Forwarded-* fields are believed. */
  readonly trustedProxies: readonly string[]
  /** CIDRs that servers named in routes (external authentication, mirrors) may have although they are loopback, link-local or the like. */
  readonly allowedTargets: readonly string[]
  /** CIDRs that they may not have besides: the engine's own addresses, the API server's. */
  readonly deniedTargets: readonly string[]
  /** How long requests may take after a stop. */
  readonly drainTimeoutMs: number
  readonly tlsHandshakeTimeoutMs: number
  /** Requests that a client may have in progress on one HTTP/2 connection. */
  readonly http2MaxStreams: number
  /** Bytes of a request's, or of a pod's answer's, body that may be on their way unasked: of one stream, of one connection. */
  readonly http2StreamWindowBytes: number
  readonly http2ConnectionWindowBytes: number
  /** Requests that an HTTP/2 client gives up: so many at once, then so many a second; above it the connection is closed (CVE-2023-44487). */
  readonly http2ResetBurst: number
  readonly http2ResetsPerSecond: number
  /** The same for PING and SETTINGS. */
  readonly http2ControlBurst: number
  readonly http2ControlsPerSecond: number
  /** A pod's HTTP/2 connection without a request is closed after this. */
  readonly upstreamHttp2IdleTimeoutMs: number
  /** One that was silent for this long must answer a PING beside its next request; 0 for never. */
  readonly upstreamPingAfterMs: number
  readonly tlsMinVersion: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL's names, of both versions, most wanted first. */
  readonly tlsCiphers: string
  /** CIDRs whose PROXY headers are believed, on listeners that want one; other peers are closed there. */
  readonly proxyProtocolPeers: readonly string[]
  readonly proxyProtocolTimeoutMs: number
  /** After a stop, how long idle connections may still bring a request, which is answered with `Connection: close`. */
  readonly drainIdleMs: number
}

export const defaultSettings: EngineSettings = {
  telemetry: {},
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
  maxRequestsPerEndpoint: 0,
  ejectAfterFailures: 5,
  ejectAfterRefused: 2,
  ejectRatio: 0.8,
  ejectWindowRequests: 20,
  ejectWindowMs: 10_000,
  ejectionMs: 10_000,
  maxEjectionMs: 300_000,
  maxEjectedShare: 0.5,
  retryShare: 0.2,
  retriesPerSecond: 3,
  maxConcurrentChecks: 32,
  trustedProxies: [],
  allowedTargets: [],
  deniedTargets: [],
  drainTimeoutMs: 10_000,
  tlsHandshakeTimeoutMs: 10_000,
  http2MaxStreams: 128,
  http2StreamWindowBytes: 262_144,
  http2ConnectionWindowBytes: 1_048_576,
  http2ResetBurst: 500,
  http2ResetsPerSecond: 30,
  http2ControlBurst: 1_000,
  http2ControlsPerSecond: 100,
  upstreamHttp2IdleTimeoutMs: 60_000,
  upstreamPingAfterMs: 10_000,
  tlsMinVersion: 'TLSv1.2',
  tlsCiphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  proxyProtocolPeers: [],
  proxyProtocolTimeoutMs: 5_000,
  drainIdleMs: 1_000,
}
