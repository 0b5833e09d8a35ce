import { createHash } from 'node:crypto'
import type { Ingress } from '../../api/index.ts'
import { annotationsOf } from '../annotations/index.ts'

/** By our annotation `fairway.dev/acme`, which decides where it is, or by the one that was agreed on before us. */
export const asksForCertificates = (ingress: Ingress): boolean =>
  annotationsOf(ingress).values.acme ?? ingress.metadata.annotations?.[WELL_KNOWN] === 'true'

const WELL_KNOWN = 'kubernetes.io/tls-acme'

/** The label by which our Secrets are known; its value says what one is for. */
export const ROLE_LABEL = 'fairway.dev/acme'
export type Role = 'account' | 'order' | 'challenges' | 'certificate'

/** On the Secret of a certificate, and on those of accounts and orders where they fit. */
export const ISSUER = 'fairway.dev/acme-issuer'
export const ORDER = 'fairway.dev/acme-order'
export const ISSUED_AT = 'fairway.dev/acme-issued-at'
export const NOT_AFTER = 'fairway.dev/acme-not-after'
export const RENEW_AT = 'fairway.dev/acme-renew-at'
export const CERTIFICATE = 'fairway.dev/acme-certificate'

export const labelsOf = (role: Role): Readonly<Record<string, string>> => ({
  [ROLE_LABEL]: role,
  'app.kubernetes.io/managed-by': 'fairway',
})

/** Where replicas keep what they share; the Secrets of others that lie in the same namespace are not touched. */
export interface Place {
  readonly namespace: string
  /** The same for all replicas, and another one for each set of replicas. */
  readonly instance: string
}

export const INSTANCE_LABEL = 'fairway.dev/acme-instance'

/** Watched by every replica. */
export const challengesSecret = ({ instance }: Place): string => `${instance}-acme-challenges`

/** Every server has an account of its own. */
export const accountSecret = ({ instance }: Place, server: string): string => `${instance}-acme-account-${digest(server)}`

/** Of the certificate that lies in the Secret `namespace/name`. */
export const orderSecret = ({ instance }: Place, certificate: string): string => `${instance}-acme-order-${digest(certificate)}`

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)
