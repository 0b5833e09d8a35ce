import { constants } from 'node:crypto'
import tls from 'node:tls'
import { errorMessage, UserError } from '../../base/index.ts'
import type { EngineSettings } from '../settings.ts'
import type { Certificate } from '../table/index.ts'
import type { HostClientAuth } from './server-names.ts'

export type TlsSettings = Pick<EngineSettings, 'tlsMinVersion' | 'tlsCiphers' | 'tlsHandshakeTimeoutMs'>

/**
 * What a TLS context is made of. Sessions belong to one client authentication (the session id context), and with one there are no
 * tickets at all: a resumed session would repeat an old verdict, for a certificate that has expired or of a chain that nobody sees again.
 */
export const contextOptions = (
  settings: TlsSettings,
  certificate: Certificate | undefined,
  auth: HostClientAuth | undefined,
): tls.SecureContextOptions => ({
  ...(certificate === undefined ? {} : { cert: certificate.chain, key: certificate.key }),
  minVersion: settings.tlsMinVersion,
  ciphers: settings.tlsCiphers,
  // Ours: AES-128 first, which saves a handshake the SHA-384 key schedule; ChaCha20 first for clients that put it first.
  honorCipherOrder: true,
  secureOptions: auth === undefined ? OPTIONS : OPTIONS | constants.SSL_OP_NO_TICKET,
  sessionIdContext: auth?.identity ?? 'fairway',
  // A list, because Node takes an empty text for the world's authorities.
  ...(auth === undefined ? {} : { ca: [auth.settings.ca] }),
})

const OPTIONS = constants.SSL_OP_PRIORITIZE_CHACHA | constants.SSL_OP_NO_RENEGOTIATION

/** Throws UserError when OpenSSL knows no cipher of the settings: every certificate would seem to be bad. */
export const checkTlsSettings = ({ tlsMinVersion, tlsCiphers }: Pick<TlsSettings, 'tlsMinVersion' | 'tlsCiphers'>): void => {
  try {
    tls.createSecureContext({ minVersion: tlsMinVersion, ciphers: tlsCiphers })
  } catch (error) {
    throw new UserError(
      `ingress: the TLS ciphers ${tlsCiphers} cannot be used (${errorMessage(error)}); see openssl ciphers for names`,
    )
  }
}
