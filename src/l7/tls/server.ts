import tls from 'node:tls'
import { type Certificate, canonicalHost } from '../table/index.ts'
import type { Certificates } from './certificates.ts'
import { contextOptions, type TlsSettings } from './secure-context.ts'
import type { HostClientAuth } from './server-names.ts'

export interface TlsServerOptions {
  readonly certificates: Certificates
  readonly settings: TlsSettings
  /** What ALPN offers. */
  readonly protocols: readonly string[]
  /** What every client of this server is asked for. */
  readonly auth: HostClientAuth | undefined
  readonly ticketKeys: Buffer | undefined
  /** For clients that name no host. Without it, a server for those that do. */
  readonly certificate: Certificate | undefined
  onConnection(socket: tls.TLSSocket): void
  onError(): void
}

/** TLS with the certificate by SNI for sockets that somebody else accepts (`server.emit('connection', socket)`). */
export const createTlsServer = (options: TlsServerOptions): tls.Server => {
  const { certificates, settings, auth, ticketKeys, certificate } = options
  const server = tls.createServer({
    ...contextOptions(settings, certificate, auth),
    ...(ticketKeys === undefined ? {} : { ticketKeys }),
    ALPNProtocols: [...options.protocols],
    handshakeTimeout: settings.tlsHandshakeTimeoutMs,
    requestCert: auth !== undefined,
    // A request is answered, so that a client is told what is wrong.
    rejectUnauthorized: false,
    SNICallback: (name, done) => {
      const context = certificates.contextOf(canonicalHost(name) ?? '', auth)
      if (context === undefined) done(new Error('no certificate for this server name'))
      else done(null, context)
    },
  })
  server.on('secureConnection', (socket) => {
    // A late TLS error must not become an uncaught one (CVE-2025-59465).
    socket.on('error', () => {})
    options.onConnection(socket)
  })
  server.on('tlsClientError', () => options.onError())
  return server
}
