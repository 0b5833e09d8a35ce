import net from 'node:net'
import tls from 'node:tls'
import type { BackendTls, Endpoint } from '../table/index.ts'
import type { Dial } from './dial.ts'
import { tlsOptions } from './tls-options.ts'

/** Opens TLS connections to one endpoint as its backend wants them; later ones resume the session of earlier ones. */
export class TlsDialer {
  readonly #endpoint: Endpoint
  readonly #options: tls.ConnectionOptions | Error
  #session: Buffer | undefined

  constructor(endpoint: Endpoint, dial: Dial, protocol: 'http/1.1' | 'h2') {
    this.#endpoint = endpoint
    const options = optionsOf(dial)
    this.#options = options instanceof Error ? options : { ...options, ...ofProtocol(protocol) }
  }

  /** `secureConnect` when it is ready; a pod that does not show what is expected of it is an error. */
  connect(): net.Socket {
    if (this.#options instanceof Error) return new net.Socket().destroy(this.#options)
    const { address, port } = this.#endpoint
    const session = this.#session === undefined ? {} : { session: this.#session }
    const socket = tls.connect({ ...this.#options, ...session, host: address, port })
    socket.setNoDelay(true)
    socket.on('session', (ticket: Buffer) => {
      this.#session = ticket
    })
    return socket
  }
}

/** A tunnel of HTTP/1 may be closed in one direction; the types leave `allowHalfOpen` out. */
const ofProtocol = (protocol: 'http/1.1' | 'h2'): tls.ConnectionOptions & { readonly allowHalfOpen: boolean } => ({
  ALPNProtocols: [protocol],
  allowHalfOpen: protocol === 'http/1.1',
})

/** The settings of a backend, parsed once for all its endpoints. */
const made = new WeakMap<Dial, tls.ConnectionOptions | Error>()

const optionsOf = (dial: Dial): tls.ConnectionOptions | Error => {
  let options = made.get(dial)
  if (options === undefined) {
    options = makeOptions(dial.tls)
    made.set(dial, options)
  }
  return options
}

const makeOptions = (settings: BackendTls | undefined): tls.ConnectionOptions | Error => {
  const { ca, cert, key, minVersion, maxVersion, ciphers, ...perConnection } = tlsOptions(settings)
  try {
    const secureContext = tls.createSecureContext({ ca, cert, key, minVersion, maxVersion, ciphers })
    return { ...perConnection, ...identityCheck(settings), secureContext }
  } catch (error) {
    // A Secret that is no certificate harms only its own backend.
    return error instanceof Error ? error : new Error(String(error))
  }
}

const identityCheck = (settings: BackendTls | undefined): Pick<tls.ConnectionOptions, 'checkServerIdentity'> => {
  const { serverName, verifyDepth, verify, ca } = settings ?? {}
  if (verify !== true || ca === undefined) return {}
  return {
    // Pods are dialled by address: without a name to expect, the chain alone counts.
    checkServerIdentity: (_host, certificate) => {
      const named = serverName === undefined ? undefined : tls.checkServerIdentity(serverName, certificate)
      if (named !== undefined || verifyDepth === undefined) return named
      return intermediates(certificate) > verifyDepth ? new Error(`the chain is deeper than ${verifyDepth}`) : undefined
    },
  }
}

/** Certificates between a pod's and its root's, as OpenSSL counts the depth. */
const intermediates = (certificate: tls.PeerCertificate): number => {
  let count = -1
  // `issuerCertificate` is there when Node asks about the identity; a root is its own issuer.
  let at = certificate as tls.DetailedPeerCertificate
  while (at.issuerCertificate !== undefined && at.issuerCertificate !== at && count < MOST_DEPTH) {
    at = at.issuerCertificate
    count++
  }
  return Math.max(0, count)
}

const MOST_DEPTH = 100
