import type { Deadlines } from './deadlines.ts'
import type { CompiledPolicy, OutsideClient } from './policy/index.ts'
import type { EngineSettings } from './settings.ts'
import type { Stats } from './stats.ts'
import type { Matcher, RoutePolicy, Target } from './table/index.ts'
import type { RequestObserver } from './telemetry/record.ts'
import type { HostClientAuth } from './tls/server-names.ts'
import type { Backends } from './upstream/backends.ts'

/** What all connections of a worker share. */
export interface EngineContext {
  readonly settings: EngineSettings
  readonly deadlines: Deadlines
  readonly matcher: Matcher
  readonly backends: Backends
  readonly stats: Stats
  readonly policies: { of(policy: RoutePolicy): CompiledPolicy }
  /** Asks servers that users named. */
  readonly outside: OutsideClient
  /** Told of each request that has ended; undefined when nobody wants to know. */
  readonly observer: RequestObserver | undefined
  /** No new requests: answers say `Connection: close`. */
  isDraining: boolean
  newRequestId(): string
  isTrusted(address: string): boolean
  /** Which certificate a TLS client that names `host` gets, and what it is asked for, as one text. */
  certificateOf(host: string): string
  /** What clients of a host are asked for: `judge` of `tls/client-certificate.ts` says whether a request may go on. */
  clientAuthOf(host: string): HostClientAuth | undefined
  /** The answer to an ACME challenge at this path. */
  challengeOf(path: string): string | undefined
  /** A request that the engine answered itself. */
  report(failure: FailedRequest): void
}

export interface FailedRequest {
  readonly status: number
  readonly reason: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly target: Target | undefined
}
