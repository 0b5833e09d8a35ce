import type { OutsideTarget } from '../../table/index.ts'

/** A request to a server that a user named in a setting. */
export interface OutsideRequest {
  readonly target: OutsideTarget
  readonly method: string
  /** Path and query; made safe by whoever joined it. */
  readonly path: string
  /** The Host field; the target's name when left out. */
  readonly host?: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer
  /** From the call to the answer's head. */
  readonly timeoutMs: number
  /** Connections kept to the target; the client's default when left out. */
  readonly connections?: number
}

/** An answer's head; its body is read, bounded, and thrown away. */
export interface OutsideAnswer {
  readonly status: number
  /** Names in lower case; every field line on its own. */
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/**
 * `target-refused`: every address of the name is one that may not be reached; `unresolved`: the name has none; `unreachable`: connect, TLS or the
 * connection failed; `invalid`: not HTTP, or a head above the bound; `busy`: too many requests to the target are in progress.
 */
export type OutsideFailure = 'target-refused' | 'unresolved' | 'unreachable' | 'timeout' | 'invalid' | 'busy'

export type OutsideOutcome = { readonly answer: OutsideAnswer } | { readonly failure: OutsideFailure }

export interface OutsideClient {
  /** Calls `done` exactly once, perhaps at once, never after the returned function, which cancels. Redirects are not followed. */
  send(request: OutsideRequest, done: (outcome: OutsideOutcome) => void): () => void
  close(): Promise<void>
}
