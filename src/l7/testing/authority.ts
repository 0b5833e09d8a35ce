import 'reflect-metadata'
import { createPrivateKey, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { Certificate } from '../table/index.ts'

/** A certificate authority for tests; `certificate` is its own. */
export interface Authority {
  readonly certificate: Certificate
  /** A leaf for a subject such as `CN=web,O=Example`; its chain has the authorities between it and the root. */
  issue(subject: string, options?: { readonly validMs?: number; readonly dns?: string }): Promise<Certificate>
  /** An authority below this one. */
  intermediate(subject: string): Promise<Authority>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const HOUR_MS = 3_600_000

export const createAuthority = async (subject: string): Promise<Authority> => {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: subject,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    ...validity(HOUR_MS),
  })
  return authority(subject, keys, { chain: root.toString('pem'), key: await pem(keys.privateKey) }, '')
}

type Keys = Awaited<ReturnType<typeof generate>>
const generate = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])

/** `above`: the chain that its leaves bring along. */
const authority = (issuer: string, keys: Keys, certificate: Certificate, above: string): Authority => {
  const sign = async (subject: string, validMs: number, extensions: x509.Extension[]): Promise<{ keys: Keys; chain: string }> => {
    const own = await generate()
    const leaf = await x509.X509CertificateGenerator.create({
      subject,
      issuer,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions,
      ...validity(validMs),
    })
    return { keys: own, chain: `${leaf.toString('pem')}\n${above}` }
  }
  return {
    certificate,
    issue: async (subject, { validMs = HOUR_MS, dns } = {}) => {
      const names = dns === undefined ? [] : [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dns }])]
      const { keys: own, chain } = await sign(subject, validMs, names)
      return { chain, key: await pem(own.privateKey) }
    },
    intermediate: async (subject) => {
      const { keys: own, chain } = await sign(subject, HOUR_MS, [new x509.BasicConstraintsExtension(true, undefined, true)])
      return authority(subject, own, { chain, key: await pem(own.privateKey) }, chain)
    },
  }
}

const validity = (validMs: number): { readonly notBefore: Date; readonly notAfter: Date } => ({
  notBefore: new Date(Date.now() - 2 * HOUR_MS),
  notAfter: new Date(Date.now() + validMs),
})

const pem = async (key: webcrypto.CryptoKey): Promise<string> => {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }).toString()
}
