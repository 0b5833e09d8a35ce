import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode, errorMessage, UserError } from '../../base/index.ts'
import { CloudError } from './errors.ts'
import { optional, record, text } from './shape.ts'

/** A certificate that listeners name by its id; one without a key is an authority of clients. */
export interface StoredCertificate {
  readonly id: string
  /** PEM, the leaf first. */
  readonly chain: string
  readonly key?: string
}

/** What `POST /_emulator/certificates` takes. */
export const certificateUpload = record({
  id: text({ max: 64, pattern: /^[A-Za-z0-9_-]+$/ }),
  chain: text({ max: 100_000 }),
  key: optional(text({ max: 20_000 })),
})

export interface Certificates {
  get(id: string): StoredCertificate | undefined
  list(): readonly StoredCertificate[]
  /** Replaces the one of the same id. Throws `CloudError` when the texts are no certificate, or the key is not its own. */
  put(certificate: StoredCertificate): void
}

/** Certificates in `dir`, beside those that are given at the start. */
export const openCertificates = (dir: string, given: readonly StoredCertificate[]): Certificates => {
  const path = join(dir, 'certificates.json')
  const uploaded = new Map(readAll(path).map((one) => [one.id, one]))
  const fixed = new Map(given.map((one) => [one.id, one]))
  for (const one of given) {
    const problem = problemOf(one)
    if (problem !== undefined) throw new UserError(`certificate ${one.id}: ${problem}`, { exitCode: 2 })
  }
  return {
    get: (id) => fixed.get(id) ?? uploaded.get(id),
    list: () => [...new Map([...uploaded, ...fixed]).values()],
    put: (certificate) => {
      const problem = problemOf(certificate)
      if (problem !== undefined) throw new CloudError('InvalidParameterValue', problem)
      uploaded.set(certificate.id, certificate)
      writeFileSync(`${path}.tmp`, JSON.stringify([...uploaded.values()]), { mode: 0o600 })
      renameSync(`${path}.tmp`, path)
    },
  }
}

const problemOf = ({ chain, key }: StoredCertificate): string | undefined => {
  try {
    const leaf = new X509Certificate(chain)
    return key === undefined || leaf.checkPrivateKey(createPrivateKey(key)) ? undefined : 'the key is not that of the certificate'
  } catch (error) {
    // OpenSSL's words, which name no part of the key.
    return `no certificate and key in PEM: ${errorMessage(error)}`
  }
}

const readAll = (path: string): readonly StoredCertificate[] => {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (Array.isArray(value)) return value.map((one) => certificateUpload.read(one, path))
    throw new Error('no list')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw new UserError(`cloud: ${path} can't be read: ${errorMessage(error)}`, { cause: error })
  }
}
