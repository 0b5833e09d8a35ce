import net from 'node:net'
import type tls from 'node:tls'
import { readAhead } from '../read-ahead.ts'
import { type Certificate, canonicalHost, type Target } from '../table/index.ts'
import type { Certificates } from './certificates.ts'
import { type ClientCertificate, readClientCertificate } from './client-certificate.ts'
import { MAX_HELLO_RECORDS_BYTES, type ReadHello, readClientHello } from './client-hello.ts'
import { contextOptions, type TlsSettings } from './secure-context.ts'
import { createTlsServer } from './server.ts'
import type { HostClientAuth, ServerNames } from './server-names.ts'

/** A TLS connection that is ready for requests. */
interface TlsConnection {
  readonly socket: tls.TLSSocket
  /** The accepted socket beneath. */
  readonly accepted: net.Socket
  /** What it was served with, as `servedWith` spells it; undefined for a client that sent no SNI. */
  readonly certificate: string | undefined
  /** Undefined when the client was not asked for one. */
  readonly client: ClientCertificate | undefined
}

export interface TlsListenerOptions {
  readonly certificates: Certificates
  readonly serverNames: ServerNames
  readonly settings: TlsSettings
  readonly protocols: readonly string[]
  /** Reads what comes before TLS and goes on with `next`, or ends the socket. */
  readonly before?: (accepted: net.Socket, next: () => void) => void
  onConnection(connection: TlsConnection): void
  /** The connection's bytes, from the first on, are the backend's. */
  onPassthrough(accepted: net.Socket, target: Target): void
  onError(): void
  /** A connection ended before it was one for requests. */
  onGone(): void
}

/**
 * Names the certificate and the client authentication of a host as one text: a connection may carry requests only for hosts with the same
 * (421 otherwise), as another host's client certificates would never have been asked for (RFC 9110 section 15.5.20).
 */
export const servedWith = (certificate: string | undefined, auth: HostClientAuth | undefined): string =>
  `${certificate ?? ''}\0${auth?.identity ?? ''}`

/**
 * Accepts TLS connections. While no host asks for client certificates or passthrough and all certificates are of one kind, they go straight
 * to one `tls.Server`; otherwise the ClientHello is read first, and its server name chooses: the bytes go to a backend, to the server that
 * asks for that host's client certificates, or to the one for all other names.
 */
export class TlsListener {
  readonly server: net.Server
  readonly #options: TlsListenerOptions
  readonly #plain: tls.Server
  /** Has no certificate of its own. */
  readonly #named: tls.Server
  #served: Certificate | undefined
  #mustRead = false
  readonly #verifying = new Map<string, tls.Server>()
  readonly #pending = new Set<net.Socket>()
  #ticketKeys: Buffer | undefined

  constructor(options: TlsListenerOptions) {
    this.#options = options
    this.#served = options.certificates.default
    this.#plain = this.#createServer(undefined, this.#served)
    this.#named = this.#createServer(undefined, undefined)
    this.refresh()
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
  }

  /** 48 bytes; tickets of other listeners with the same keys are taken. Those of the keys before are not: Node keeps one set. */
  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys
    for (const server of [this.#plain, this.#named]) server.setTicketKeys(keys)
  }

  /** The certificates, what is asked of clients, or what is passed through changed. */
  refresh(): void {
    const { certificates, serverNames, settings } = this.#options
    this.#mustRead = serverNames.matter || certificates.areMixed
    this.#verifying.clear()
    const certificate = certificates.default
    if (certificate === undefined || certificate === this.#served) return
    this.#served = certificate
    this.#plain.setSecureContext({
      ...contextOptions(settings, certificate, undefined),
      // Without them the new context would make its own.
      ...(this.#ticketKeys === undefined ? {} : { ticketKeys: this.#ticketKeys }),
    })
  }

  /** Ends connections whose handshake is not done. */
  dropPending(): void {
    for (const socket of this.#pending) socket.destroy()
  }

  get pending(): number {
    return this.#pending.size
  }

  #accept(accepted: net.Socket): void {
    this.#pending.add(accepted)
    accepted.once('close', () => {
      if (this.#pending.delete(accepted)) this.#options.onGone()
    })
    const { before } = this.#options
    if (before === undefined) this.#choose(accepted)
    else before(accepted, () => this.#choose(accepted))
  }

  #choose(accepted: net.Socket): void {
    if (!this.#mustRead) {
      this.#plain.emit('connection', accepted)
      return
    }
    readAhead<ReadHello>(accepted, {
      timeoutMs: this.#options.settings.tlsHandshakeTimeoutMs,
      maxBytes: MAX_HELLO_RECORDS_BYTES,
      judge: (bytes) => {
        const value = readClientHello(bytes)
        return value === 'incomplete' ? undefined : { use: 0, value }
      },
      done: (hello) => this.#route(accepted, hello),
    })
  }

  #route(accepted: net.Socket, hello: ReadHello | undefined): void {
    if (hello === undefined || hello === 'incomplete') {
      this.#options.onError()
      accepted.destroy()
      return
    }
    if (hello === 'malformed') {
      // OpenSSL tells the client what is wrong, and no host with client certificates is reached that way.
      this.#plain.emit('connection', accepted)
      return
    }
    const host = hello.serverName === undefined ? '' : (canonicalHost(hello.serverName) ?? '')
    const target = this.#options.serverNames.passthroughOf(host)
    if (target === undefined) {
      this.#serverFor(host, hello.serverName !== undefined).emit('connection', accepted)
      return
    }
    this.#pending.delete(accepted)
    this.#options.onPassthrough(accepted, target)
  }

  #serverFor(host: string, isNamed: boolean): tls.Server {
    const auth = this.#options.serverNames.clientAuthOf(host)
    if (auth === undefined) return isNamed ? this.#named : this.#plain
    const key = `${auth.identity} ${isNamed}`
    let server = this.#verifying.get(key)
    if (server === undefined) {
      server = this.#createServer(auth, isNamed ? undefined : this.#served)
      this.#verifying.set(key, server)
    }
    return server
  }

  #createServer(auth: HostClientAuth | undefined, certificate: Certificate | undefined): tls.Server {
    const { certificates, settings, protocols, onError } = this.#options
    return createTlsServer({
      certificates,
      settings,
      protocols,
      auth,
      certificate,
      ticketKeys: this.#ticketKeys,
      onConnection: (socket) => this.#onSecure(socket, auth),
      onError,
    })
  }

  #onSecure(socket: tls.TLSSocket, auth: HostClientAuth | undefined): void {
    const { _parent: accepted, servername } = socket as tls.TLSSocket & OfServer
    this.#pending.delete(accepted)
    const host = typeof servername === 'string' ? canonicalHost(servername) : undefined
    this.#options.onConnection({
      socket,
      accepted,
      certificate: host === undefined ? undefined : servedWith(this.#options.certificates.idOf(host), auth),
      client: auth && readClientCertificate(socket, auth),
    })
  }
}

/** What Node sets on a server's sockets and leaves out of the types. */
interface OfServer {
  readonly _parent: net.Socket
  /** False without SNI. */
  readonly servername?: string | false
}
