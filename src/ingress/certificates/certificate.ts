import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Secret } from '../../api/index.ts'
import { errorMessage } from '../../base/index.ts'
import type { Certificate } from '../../l7/table/index.ts'

export interface CertificateProblem {
  readonly reason: 'SecretNotFound' | 'CertificateInvalid' | 'CertificateExpired' | 'CertificateHostMismatch'
  readonly message: string
}

export interface ReadCertificate {
  /** Undefined when it cannot be served. */
  readonly certificate: Certificate | undefined
  readonly problems: readonly CertificateProblem[]
}

/**
 * Reads and checks a Secret of type kubernetes.io/tls: a chain, and a key that belongs to its leaf. An expired certificate or one for other
 * hosts is told and served all the same: the client decides. `name` is `namespace/name`.
 */
export const readCertificate = (
  name: string,
  secret: Secret | undefined,
  about: { readonly hosts: readonly string[]; readonly nowMs: number },
): ReadCertificate => {
  if (secret === undefined) return unusable('SecretNotFound', `Secret ${name} does not exist`)
  const chain = decoded(secret, 'tls.crt')
  const key = decoded(secret, 'tls.key')
  if (chain === undefined || key === undefined)
    return unusable('CertificateInvalid', `Secret ${name} has no ${chain === undefined ? 'tls.crt' : 'tls.key'}`)
  try {
    const leaf = new X509Certificate(chain)
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      return unusable('CertificateInvalid', `Secret ${name}: tls.key is not the key of tls.crt`)
    return { certificate: { chain, key }, problems: [...expiry(name, leaf, about.nowMs), ...coverage(name, leaf, about.hosts)] }
  } catch (error) {
    // OpenSSL's messages name the fault, never the key.
    return unusable('CertificateInvalid', `Secret ${name}: ${errorMessage(error)}`)
  }
}

const decoded = (secret: Secret, key: string): string | undefined => {
  const data = secret.data
  const value = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined
  return value ? Buffer.from(value, 'base64').toString('latin1') : undefined
}

const unusable = (reason: CertificateProblem['reason'], message: string): ReadCertificate => ({
  certificate: undefined,
  problems: [{ reason, message }],
})

const expiry = (name: string, leaf: X509Certificate, nowMs: number): readonly CertificateProblem[] => {
  if (Date.parse(leaf.validTo) < nowMs) return [expired(`Secret ${name}: the certificate expired on ${leaf.validTo}`)]
  return Date.parse(leaf.validFrom) > nowMs
    ? [expired(`Secret ${name}: the certificate is not valid before ${leaf.validFrom}`)]
    : []
}

const expired = (message: string): CertificateProblem => ({ reason: 'CertificateExpired', message })

const coverage = (name: string, leaf: X509Certificate, hosts: readonly string[]): readonly CertificateProblem[] =>
  hosts
    .filter((host) => host !== '' && leaf.checkHost(host.startsWith('*.') ? `any${host.slice(1)}` : host) === undefined)
    .map((host) => ({ reason: 'CertificateHostMismatch', message: `Secret ${name}: the certificate is not for ${host}` }))
