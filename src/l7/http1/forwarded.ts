import { isIP } from 'node:net'
import { readForwarded } from './forwarded-field.ts'
import type { RequestHead } from './request-head.ts'
import { fieldValue, removeNamed } from './text.ts'

/** What is known of a client when it connects. */
export interface Peer {
  readonly address: string
  readonly isTlsPort: boolean
  readonly localPort: number
  readonly isTrusted: boolean
}

/** The lines that tell a pod who the client is: constant for a connection unless the peer is a trusted proxy. */
export class ForwardedLines {
  readonly #peer: Peer
  readonly #isTrusted: (address: string) => boolean
  readonly #constant: string

  constructor(peer: Peer, isTrusted: (address: string) => boolean) {
    this.#peer = peer
    this.#isTrusted = isTrusted
    this.#constant =
      `X-Forwarded-For: ${peer.address}\r\nX-Real-IP: ${peer.address}\r\n` +
      `X-Forwarded-Proto: ${scheme(peer)}\r\nX-Forwarded-Port: ${peer.localPort}\r\n`
  }

  get isTlsPort(): boolean {
    return this.#peer.isTlsPort
  }

  /** The client, as far as trusted proxies know it. */
  clientAddress(request: RequestHead): string {
    return this.#peer.isTrusted ? this.#origin(request).client : this.#peer.address
  }

  /** The client came over TLS, to us or to a trusted proxy. */
  isSecure(request: RequestHead): boolean {
    const { isTlsPort, isTrusted } = this.#peer
    return isTlsPort || (isTrusted && this.#origin(request).proto === 'https')
  }

  of(request: RequestHead): string {
    const host = request.authority === '' ? '' : `X-Forwarded-Host: ${request.authority}\r\n`
    return this.#peer.isTrusted ? this.#trusted(request, host) : this.#constant + host
  }

  #trusted(request: RequestHead, host: string): string {
    const { identity } = request
    const peer = this.#peer
    const { chain, client, proto, isForwardedGood } = this.#origin(request)
    const lower = `\r\n${identity.toLowerCase()}`
    const has = (name: string): boolean => lower.includes(`\r\n${name}:`)
    return (
      `X-Forwarded-For: ${chain}\r\nX-Real-IP: ${client}\r\n${isForwardedGood ? identity : removeNamed(identity, ['forwarded'])}` +
      (has('x-forwarded-proto') ? '' : `X-Forwarded-Proto: ${proto ?? scheme(peer)}\r\n`) +
      (has('x-forwarded-port') ? '' : `X-Forwarded-Port: ${peer.localPort}\r\n`) +
      (has('x-forwarded-host') ? '' : host)
    )
  }

  /** What a trusted proxy says: by X-Forwarded-*, which most send, or by Forwarded alone. */
  #origin(request: RequestHead): Origin {
    const { identity, forwardedFor } = request
    const forwarded = fieldValue(identity, 'forwarded')
    const elements = forwarded === undefined ? [] : readForwarded(forwarded)
    const isForwardedGood = elements !== undefined
    const proto = fieldValue(identity, 'x-forwarded-proto')?.toLowerCase()
    if (forwardedFor !== '' || elements === undefined || elements.length === 0) {
      const hops = forwardedFor === '' ? [] : forwardedFor.split(',').map((hop) => hop.trim())
      const chain = [...hops, this.#peer.address]
      return { chain: chain.join(', '), client: chain[this.#clientAt(chain)] ?? this.#peer.address, proto, isForwardedGood }
    }
    const chain = [...elements.map((element) => element.for ?? 'unknown'), this.#peer.address]
    const at = this.#clientAt(chain)
    // What is said of the client was said by the trusted proxy that it came to.
    return {
      chain: chain.join(', '),
      client: chain[at] ?? this.#peer.address,
      proto: proto ?? elements[at]?.proto,
      isForwardedGood,
    }
  }

  /** From the right: the first that is no trusted proxy; what is no address ends the search, as nobody knows who spoke before it. */
  #clientAt(chain: readonly string[]): number {
    let at = chain.length - 1
    while (at > 0 && this.#isTrusted(chain[at] ?? '') && isIP(chain[at - 1] ?? '') !== 0) at--
    return at
  }
}

interface Origin {
  /** All hops, the client first, our peer last. */
  readonly chain: string
  readonly client: string
  readonly proto: string | undefined
  readonly isForwardedGood: boolean
}

const scheme = (peer: Peer): string => (peer.isTlsPort ? 'https' : 'http')
