import type { ProblemDocument } from './failure.ts'

/** An order (RFC 8555 section 7.1.3), as far as we read it. */
export interface Order {
  readonly url: string
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid'
  readonly problem: ProblemDocument | undefined
}

/** What the server wants to see for one host. */
export interface Authorization {
  readonly host: string
  readonly status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked'
  /** The one over HTTP; undefined when the server offers none. */
  readonly challenge: Challenge | undefined
}

export interface Challenge {
  readonly url: string
  readonly token: string
  /** What is answered to the token. */
  readonly keyAuthorization: string
  readonly status: 'pending' | 'processing' | 'valid' | 'invalid'
  readonly problem: ProblemDocument | undefined
}

/** An ACME server with an account of ours. Every method rejects with `AcmeFailure`. */
export interface AcmeServer {
  newOrder(hosts: readonly string[]): Promise<Order>
  order(url: string): Promise<Order>
  authorizations(order: Order): Promise<readonly Authorization[]>
  /** Tells the server to look. */
  accept(challenge: Challenge): Promise<void>
  /** Asks for the certificate of a key (PEM). */
  finalize(order: Order, request: { readonly hosts: readonly string[]; readonly key: string }): Promise<Order>
  /** The chain (PEM) of a valid order, the leaf first. */
  chain(order: Order): Promise<string>
}
