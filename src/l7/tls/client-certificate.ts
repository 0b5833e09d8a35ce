import type { X509Certificate } from 'node:crypto'
import type tls from 'node:tls'
import type { HostClientAuth } from './server-names.ts'

/** What a client showed of itself when its connection was made. */
export interface ClientCertificate {
  /** Of the client authentication that was asked for; hosts with another one may not be reached. */
  readonly identity: string
  /** As nginx's `$ssl_client_verify`: `SUCCESS`, `NONE` or `FAILED:` and OpenSSL's reason. */
  readonly verify: string
  readonly commonNames: readonly string[]
  /** All that is wrong is that nobody we know vouches for it. */
  readonly isOfUnknownIssuer: boolean
  /** Lines of a request to the pod: `ssl-client-verify`, the names, and the certificate where the host wants it; dropped when a client sends them. */
  readonly fields: string
}

export interface ClientRefusal {
  readonly status: 302 | 400 | 403 | 421
  readonly reason: string
  /** Where a 302 leads. */
  readonly location?: string
}

/**
 * Why a request to a host may not go on; undefined when it may. Answers as ingress-nginx does: 400 without a good certificate, 403 for
 * the wrong name, or the host's error page. Plain HTTP shows no certificate, so it is refused too: call this after redirects there.
 */
export const judge = (
  auth: HostClientAuth | undefined,
  certificate: ClientCertificate | undefined,
): ClientRefusal | undefined => {
  if (auth === undefined) return undefined
  const { verify, errorPage } = auth.settings
  if (certificate !== undefined && certificate.identity !== auth.identity)
    return { status: 421, reason: 'other-client-authentication' }
  const refused = (reason: string): ClientRefusal =>
    errorPage === undefined ? { status: 400, reason } : { status: 302, reason, location: errorPage }
  if (certificate === undefined || certificate.verify === 'NONE') {
    if (verify === 'required') return refused('client-certificate-required')
  } else if (certificate.verify !== 'SUCCESS' && !(verify === 'optional-no-ca' && certificate.isOfUnknownIssuer))
    return refused('client-certificate-invalid')
  return hasWantedName(auth, certificate) ? undefined : { status: 403, reason: 'client-certificate-unauthorized' }
}

const hasWantedName = ({ commonName }: HostClientAuth, certificate: ClientCertificate | undefined): boolean => {
  if (commonName === undefined) return true
  const names = certificate?.commonNames ?? []
  return names.length > 0 && names.every((name) => commonName.matcher(name).matches())
}

/** Reads what a client showed on a connection whose handshake is done. */
export const readClientCertificate = (socket: tls.TLSSocket, auth: HostClientAuth): ClientCertificate => {
  const { identity } = auth
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined)
    return { identity, verify: 'NONE', commonNames: [], isOfUnknownIssuer: false, fields: 'ssl-client-verify: NONE\r\n' }
  const failure = failureOf(socket, certificate, auth)
  const verify = failure === undefined ? 'SUCCESS' : `FAILED:${REASONS[failure] ?? failure}`
  const fields =
    `ssl-client-verify: ${verify}\r\nssl-client-subject-dn: ${distinguishedName(certificate.subject)}\r\n` +
    `ssl-client-issuer-dn: ${distinguishedName(certificate.issuer)}\r\n` +
    (auth.settings.passToUpstream ? `ssl-client-cert: ${encodeURIComponent(certificate.toString())}\r\n` : '')
  const isOfUnknownIssuer = failure !== undefined && UNKNOWN_ISSUER.has(failure)
  return { identity, verify, commonNames: [socket.getPeerCertificate().subject.CN ?? []].flat(), isOfUnknownIssuer, fields }
}

const TOO_LONG = 'CERT_CHAIN_TOO_LONG'

/** OpenSSL's name for what is wrong with the certificate. */
const failureOf = (socket: tls.TLSSocket, certificate: X509Certificate, auth: HostClientAuth): string | undefined => {
  if (!socket.authorized) return String(socket.authorizationError)
  // Node has no setting for it; counted as OpenSSL does, without the client's certificate and the root.
  return intermediatesOf(certificate, auth.authorities) > auth.settings.depth ? TOO_LONG : undefined
}

/** How many certificates are between a verified one and its root, on the way that OpenSSL takes: known authorities before shown ones. */
const intermediatesOf = (leaf: X509Certificate, authorities: readonly X509Certificate[]): number => {
  const shown: X509Certificate[] = []
  for (let at = leaf.issuerCertificate; at !== undefined && shown.length < MOST_SHOWN; at = at.issuerCertificate) shown.push(at)
  const candidates = [...authorities, ...shown]
  let count = -1
  for (let at: X509Certificate | undefined = leaf; at !== undefined && !at.checkIssued(at) && count < MOST_SHOWN; count++) {
    const below: X509Certificate = at
    at = candidates.find((candidate) => below.checkIssued(candidate))
  }
  return Math.max(0, count)
}

const MOST_SHOWN = 16

/** What nginx forgives with `ssl_verify_client optional_no_ca`. */
const UNKNOWN_ISSUER = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
])

/** X509_verify_cert_error_string of OpenSSL 3. */
const REASONS: Readonly<Record<string, string>> = {
  CERT_CHAIN_TOO_LONG: 'certificate chain too long',
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid',
  CERT_REJECTED: 'certificate rejected',
  CERT_REVOKED: 'certificate revoked',
  CERT_SIGNATURE_FAILURE: 'certificate signature failure',
  CERT_UNTRUSTED: 'certificate not trusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  INVALID_CA: 'invalid CA certificate',
  INVALID_PURPOSE: 'unsuitable certificate purpose',
  PATH_LENGTH_EXCEEDED: 'path length constraint exceeded',
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in certificate chain',
  UNABLE_TO_GET_ISSUER_CERT: 'unable to get issuer certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unable to get local issuer certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unable to verify the first certificate',
}

/** Node's lines, most general first, as RFC 2253 has them: `CN=web,O=Example`; bytes beyond ASCII escaped as OpenSSL does. */
const distinguishedName = (lines: string): string =>
  lines
    .split('\n')
    .map((names) => names.split(' + ').reverse().join('+'))
    .reverse()
    .join(',')
    .replace(/[^ -~]+/gu, (text) =>
      [...Buffer.from(text)].map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
