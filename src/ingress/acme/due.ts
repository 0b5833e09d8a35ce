import { createHash, X509Certificate } from 'node:crypto'
import type { Secret } from '../../api/index.ts'
import { readCertificate } from '../certificates/index.ts'
import type { WantedCertificate } from './desired.ts'
import { ISSUED_AT, ISSUER, ROLE_LABEL } from './names.ts'
import { desiredOwners, hasOwners } from './owners.ts'

/** What is to be done about the Secret of a wanted certificate. */
export type Verdict =
  /** Somebody else's: it is never written to. */
  | { readonly kind: 'foreign'; readonly message: string }
  | { readonly kind: 'due'; readonly because: 'missing' | 'broken' | 'hosts' | 'issuer' | 'renewal' }
  | { readonly kind: 'kept'; readonly untilMs: number; readonly hasOwners: boolean }

export interface DueInput {
  readonly wanted: WantedCertificate
  readonly secret: Secret | undefined
  /** The URL of the ACME server. */
  readonly server: string
  readonly nowMs: number
}

/** Whether a certificate must be issued now, and when else. */
export const judge = ({ wanted, secret, server, nowMs }: DueInput): Verdict => {
  if (secret === undefined) return { kind: 'due', because: 'missing' }
  const { annotations, labels } = secret.metadata
  if (labels?.[ROLE_LABEL] !== 'certificate')
    return { kind: 'foreign', message: `Secret ${wanted.secret} was made by somebody else and is left as it is` }
  const { certificate } = readCertificate(wanted.secret, secret, { hosts: [], nowMs })
  if (certificate === undefined) return { kind: 'due', because: 'broken' }
  const leaf = new X509Certificate(certificate.chain)
  if (hostsOf(leaf).join() !== wanted.hosts.join()) return { kind: 'due', because: 'hosts' }
  if (annotations?.[ISSUER] !== server) return { kind: 'due', because: 'issuer' }
  const untilMs = renewalOf(leaf, { secret: wanted.secret, issuedMs: Date.parse(annotations[ISSUED_AT] ?? '') })
  if (untilMs <= nowMs) return { kind: 'due', because: 'renewal' }
  return { kind: 'kept', untilMs, hasOwners: hasOwners(secret, desiredOwners(wanted)) }
}

/** In the order of their names. */
export const hostsOf = ({ subjectAltName = '' }: X509Certificate): readonly string[] =>
  subjectAltName
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice(4).toLowerCase())
    .sort()

/** Certificates that were issued together are renewed one after another. */
const SPREAD = 1 / 24

/**
 * After two thirds of the lifetime, less up to a twenty-fourth of it, which follows from the certificate: every replica, and the next leader, says the same. Never before a
 * third of the lifetime has gone by since it was issued, whatever the clocks say.
 */
export const renewalOf = (
  leaf: X509Certificate,
  { secret, issuedMs }: { readonly secret: string; readonly issuedMs: number },
): number => {
  const from = Date.parse(leaf.validFrom)
  const lifetimeMs = Date.parse(leaf.validTo) - from
  const plannedMs = from + lifetimeMs * (2 / 3 - SPREAD * fraction(`${secret} ${leaf.serialNumber}`))
  return Math.round(Number.isNaN(issuedMs) ? plannedMs : Math.max(plannedMs, issuedMs + lifetimeMs / 3))
}

/** From 0 to 1. */
const fraction = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
