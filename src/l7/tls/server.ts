import type net from 'node:net'
import tls from 'node:tls'
import { canonicalHost } from '../table/index.ts'
import type { Certificates } from './certificates.ts'

export interface TlsServerOptions {
  readonly certificates: Certificates
  readonly handshakeTimeoutMs: number
  /** `serverName` is undefined for a client that sent no SNI. */
  onConnection(socket: tls.TLSSocket, serverName: { readonly certificate: string | undefined } | undefined): void
  onError(): void
}

/**
 * TLS 1.2 and 1.3 with the certificate by SNI. Only HTTP/1.1 is offered: h2 joins the ALPN list with its engine.
 * A client that named a server may ask only for hosts with the same certificate (421 otherwise): on such a connection
 * another host's client-certificate policy would never have been asked for (RFC 9110 section 15.5.20).
 */
export const createTlsServer = (options: TlsServerOptions): net.Server => {
  const { certificates } = options
  const server = tls.createServer({
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    allowHalfOpen: true,
    noDelay: true,
    handshakeTimeout: options.handshakeTimeoutMs,
    SNICallback: (name, done) => {
      const context = certificates.contextOf(canonicalHost(name) ?? '')
      if (context === undefined) done(new Error('no certificate for this server name'))
      else done(null, context)
    },
  })
  server.on('secureConnection', (socket) => {
    // A late TLS error must not become an uncaught one (CVE-2025-59465).
    socket.on('error', () => {})
    // Set by Node on server sockets (false without SNI); missing from the types.
    const name = (socket as tls.TLSSocket & { servername?: string | false }).servername
    const host = typeof name === 'string' ? canonicalHost(name) : undefined
    options.onConnection(socket, host === undefined ? undefined : { certificate: certificates.idOf(host) })
  })
  server.on('tlsClientError', () => options.onError())
  // Clients without SNI are served with the server's own context.
  certificates.onDefault((certificate) =>
    server.setSecureContext({ cert: certificate.chain, key: certificate.key, minVersion: 'TLSv1.2' }),
  )
  return server
}
