import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { type Clock, errorCode, UserError } from '../../base/index.ts'
import { createAuthority, issue, type KeyPair, type LeafRequest, type Validity } from './x509.ts'

export interface CertificatesOptions {
  /** The folder, readable by its owner only; made when missing. */
  readonly path: string
  readonly clock: Clock
}

export interface ClientIdentity {
  /** File name, and nothing else. */
  readonly file: string
  readonly commonName: string
  readonly organizations: readonly string[]
}

/** The authority of one data folder and what it has signed. Everything is made once, read again, and renewed before it expires. */
export interface Certificates {
  /** The authority's certificate, PEM. */
  readonly authority: string
  /** The server's certificate for these names and addresses; a new one when they change. */
  server(subjects: readonly string[]): Promise<KeyPair>
  client(identity: ClientIdentity): Promise<KeyPair>
}

const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3650
const LEAF_DAYS = 365
/** Clocks of clients may be behind. */
const EARLY_MS = 3_600_000
/** A certificate is renewed when a third of its life is left. */
const RENEW_BEFORE = 1 / 3

/** Opens the certificates of a folder. Throws a `UserError` when the folder cannot be used. */
export const openCertificates = async ({ path, clock }: CertificatesOptions): Promise<Certificates> => {
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
  const validity = (days: number): Validity => ({
    notBefore: new Date(clock.now() - EARLY_MS),
    notAfter: new Date(clock.now() + days * DAY_MS),
  })
  const authority = await loadOrMake(path, 'ca', {
    isGood: (pair) => isFresh(pair, clock.now()),
    make: () => createAuthority(`fairway-ca@${Math.floor(clock.now() / 1000)}`, validity(AUTHORITY_DAYS)),
  })
  const leaf = (file: string, request: Omit<LeafRequest, 'validity'>) =>
    loadOrMake(path, file, {
      isGood: (pair) => isFresh(pair, clock.now()) && isOf(pair, authority, request),
      make: () => issue(authority, { ...request, validity: validity(LEAF_DAYS) }),
    })
  return {
    authority: authority.certificate,
    server: (subjects) =>
      leaf('server', { commonName: 'kube-apiserver', subjects: [...new Set(subjects)].sort(), usage: 'server' }),
    client: ({ file, commonName, organizations }) => leaf(file, { commonName, organizations, usage: 'client' }),
  }
}

interface Making {
  isGood(pair: KeyPair): boolean
  make(): Promise<KeyPair>
}

const loadOrMake = async (path: string, name: string, { isGood, make }: Making): Promise<KeyPair> => {
  const certificateFile = join(path, `${name}.crt`)
  const keyFile = join(path, `${name}.key`)
  const known = await load(certificateFile, keyFile)
  if (known !== undefined && isGood(known)) return known
  const pair = await make()
  // The key first: a crash between the two leaves a certificate that does not fit it, and both are made again.
  await writePrivate(keyFile, pair.key)
  await writePrivate(certificateFile, pair.certificate)
  return pair
}

const load = async (certificateFile: string, keyFile: string): Promise<KeyPair | undefined> => {
  try {
    const [certificate, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')])
    await chmod(keyFile, 0o600)
    return { certificate, key }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new UserError(
      `cannot read the certificate ${certificateFile} (${errorCode(error) ?? 'unknown'}); make it readable or remove it`,
      {
        cause: error,
      },
    )
  }
}

/** Whole or not at all, and never readable by others. */
const writePrivate = async (file: string, text: string): Promise<void> => {
  const temporary = `${file}.tmp`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.chmod(0o600)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
}

const parse = (pair: KeyPair): X509Certificate | undefined => {
  try {
    return new X509Certificate(pair.certificate)
  } catch {
    return undefined
  }
}

const isFresh = (pair: KeyPair, nowMs: number): boolean => {
  const certificate = parse(pair)
  if (certificate === undefined || !fits(certificate, pair.key)) return false
  const from = Date.parse(certificate.validFrom)
  const to = Date.parse(certificate.validTo)
  return from <= nowMs && nowMs < to - (to - from) * RENEW_BEFORE
}

const fits = (certificate: X509Certificate, key: string): boolean => {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

const isOf = (pair: KeyPair, authority: KeyPair, request: Omit<LeafRequest, 'validity'>): boolean => {
  const certificate = parse(pair)
  if (certificate === undefined || !certificate.verify(new X509Certificate(authority.certificate).publicKey)) return false
  const organizations = certificate.subject.split('\n').flatMap((line) => (line.startsWith('O=') ? [line.slice(2)] : []))
  if (organizations.sort().join() !== [...(request.organizations ?? [])].sort().join()) return false
  return certificate.subject.split('\n').includes(`CN=${request.commonName}`) && hasSubjects(certificate, request.subjects ?? [])
}

const hasSubjects = (certificate: X509Certificate, subjects: readonly string[]): boolean =>
  subjects.every(
    (subject) => (isIP(subject) === 0 ? certificate.checkHost(subject) : certificate.checkIP(subject)) !== undefined,
  ) && (certificate.subjectAltName ?? '').split(', ').filter((name) => name !== '').length === subjects.length
