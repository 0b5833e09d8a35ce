// The library registers its extensions through this global.
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A certificate and its key, both PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/** A new authority that signs itself. */
export const createAuthority = async (name: string, validity: Validity): Promise<KeyPair> => {
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: [{ CN: [name] }],
      ...validity,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyToPem(keys) }
}

export interface LeafRequest {
  readonly commonName: string
  readonly organizations?: readonly string[]
  /** Names and addresses of a server. */
  readonly subjects?: readonly string[]
  readonly usage: 'server' | 'client'
  readonly validity: Validity
}

/** A certificate that `authority` signs. */
export const issue = async (authority: KeyPair, request: LeafRequest): Promise<KeyPair> => {
  const keys = await generateKeys()
  const issuer = new x509.X509Certificate(authority.certificate)
  const usage = request.usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth
  const organizations = request.organizations ?? []
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: [...organizations.map((name) => ({ O: [name] })), { CN: [request.commonName] }],
      issuer: issuer.subject,
      ...request.validity,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: await keyFromPem(authority.key),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
        ...(request.subjects === undefined ? [] : [alternativeNames(request.subjects)]),
      ],
    },
    webcrypto,
  )
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyToPem(keys) }
}

const alternativeNames = (subjects: readonly string[]): x509.Extension =>
  new x509.SubjectAlternativeNameExtension(
    subjects.map((value) => ({ type: isAddress(value) ? ('ip' as const) : ('dns' as const), value })),
  )

const isAddress = (subject: string): boolean => /^[0-9.]+$|:/.test(subject)

const generateKeys = (): Promise<CryptoKeyPair> => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])

type CryptoKeyPair = webcrypto.CryptoKeyPair

/** Positive and 16 bytes long (RFC 5280 4.1.2.2). */
const serialNumber = (): string => {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

const keyToPem = async (keys: CryptoKeyPair): Promise<string> => {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n')
}

const keyFromPem = (pem: string): Promise<webcrypto.CryptoKey> => {
  const bytes = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return webcrypto.subtle.importKey('pkcs8', bytes, ALGORITHM, false, ['sign'])
}
