import type { ForwardedLines } from '../http1/forwarded.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { Answer } from '../policy/contract.ts'
import type { ClientCertificate } from '../tls/client-certificate.ts'

/**
 * The client's side of one request at a time, whatever protocol it speaks. What is sent is added; `flush` lets it go.
 * Order: `sendContinue`, `sendInterim`…, then `sendAnswer`, or `sendHead`, `sendBytes`…, `sendEnd`, or `beginTunnel`, `sendBytes`….
 */
export interface ExchangeClient {
  readonly forwarded: ForwardedLines
  readonly protocol: 'http/1.1' | 'h2'
  /** Undefined when it was not asked for one. */
  readonly certificate: ClientCertificate | undefined
  /** Every byte of the request has been read. */
  readonly isRequestComplete: boolean
  /** Bytes of the body have been read. */
  readonly hasBodyBytes: boolean
  /** Nothing more is sent on a tunnel. */
  readonly isEnded: boolean
  pauseRequest(): void
  resumeRequest(): void
  /** The client must take what was written in time. */
  awaitDrain(): void
  sendContinue(): void
  sendInterim(head: ResponseHead): void
  sendHead(head: ResponseHead): void
  sendBytes(bytes: Buffer, from: number, to: number): void
  sendEnd(trailers: string): void
  sendAnswer(answer: Answer): void
  /** False: the client is slower than we are; `Exchange.onClientDrain` tells when it has caught up. */
  flush(): boolean
  beginTunnel(head: ResponseHead): void
  onTunnelBytes(): void
  endTunnel(): void
  /** The answer is sent whole; another request may follow. */
  onExchangeEnd(): void
  /** Half an answer was sent and nothing follows: the client must see that it is broken. */
  destroy(): void
}
