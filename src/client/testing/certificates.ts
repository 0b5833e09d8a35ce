import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

export interface TestPair {
  readonly cert: string
  readonly key: string
}

export interface TestCertificates {
  readonly ca: string
  /** Another authority, of the same name. */
  readonly otherCa: string
  /** For localhost and 127.0.0.1. */
  readonly server: TestPair
  /** Of `CN=somebody`. */
  readonly client: TestPair
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000

/** An authority with a server's and a client's certificate, good for a day. */
export const makeTestCertificates = async (): Promise<TestCertificates> => {
  const authority = await makeAuthority()
  const server = await issue(authority, 'CN=server', [
    new x509.SubjectAlternativeNameExtension([
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
    ]),
  ])
  const client = await issue(authority, 'CN=somebody', [])
  return {
    ca: authority.certificate.toString('pem'),
    otherCa: (await makeAuthority()).certificate.toString('pem'),
    server,
    client,
  }
}

interface Authority {
  readonly keys: CryptoKeyPair
  readonly certificate: x509.X509Certificate
}

type CryptoKeyPair = webcrypto.CryptoKeyPair

const generate = (): Promise<CryptoKeyPair> => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])

const validity = () => ({ notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) })

const makeAuthority = async (): Promise<Authority> => {
  const keys = await generate()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=test authority',
      ...validity(),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
    },
    webcrypto as never,
  )
  return { keys, certificate }
}

const issue = async ({ keys, certificate }: Authority, subject: string, extensions: x509.Extension[]): Promise<TestPair> => {
  const own = await generate()
  const issued = await x509.X509CertificateGenerator.create(
    {
      subject,
      issuer: certificate.subject,
      ...validity(),
      signingAlgorithm: ALGORITHM,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      extensions,
    },
    webcrypto as never,
  )
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64')
  return { cert: issued.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` }
}
