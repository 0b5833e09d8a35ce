import type { RequestHead } from './request-head.ts'

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
    const { address, isTrusted } = this.#peer
    return isTrusted && request.forwardedFor !== '' ? this.#client(`${request.forwardedFor}, ${address}`) : address
  }

  /** The client came over TLS, to us or to a trusted proxy. */
  isSecure(request: RequestHead): boolean {
    const { isTlsPort, isTrusted } = this.#peer
    return isTlsPort || (isTrusted && PROTO_HTTPS.test(request.identity))
  }

  of(request: RequestHead): string {
    const host = request.authority === '' ? '' : `X-Forwarded-Host: ${request.authority}\r\n`
    return this.#peer.isTrusted ? this.#trusted(request, host) : this.#constant + host
  }

  #trusted(request: RequestHead, host: string): string {
    const { identity, forwardedFor } = request
    const peer = this.#peer
    const chain = forwardedFor === '' ? peer.address : `${forwardedFor}, ${peer.address}`
    const has = (name: string): boolean =>
      identity
        .toLowerCase()
        .split('\r\n')
        .some((line) => line.startsWith(`${name}:`))
    return (
      `X-Forwarded-For: ${chain}\r\nX-Real-IP: ${this.#client(chain)}\r\n${identity}` +
      (has('x-forwarded-proto') ? '' : `X-Forwarded-Proto: ${scheme(peer)}\r\n`) +
      (has('x-forwarded-port') ? '' : `X-Forwarded-Port: ${peer.localPort}\r\n`) +
      (has('x-forwarded-host') ? '' : host)
    )
  }

  /** The last address in the chain that is no trusted proxy. */
  #client(chain: string): string {
    const addresses = chain.split(',').map((address) => address.trim())
    return addresses.findLast((address) => !this.#isTrusted(address)) ?? addresses[0] ?? this.#peer.address
  }
}

const PROTO_HTTPS = /^x-forwarded-proto:[ \t]*https[ \t]*$/im

const scheme = (peer: Peer): string => (peer.isTlsPort ? 'https' : 'http')
