import { X509Certificate } from 'node:crypto'
import type { Secret } from '../../api/index.ts'
import { readCertificate } from '../certificates/index.ts'
import type { WantedCertificate } from './desired.ts'
import { hostsOf, renewalOf } from './due.ts'
import { ISSUED_AT, ISSUER, labelsOf, NOT_AFTER, ORDER, RENEW_AT } from './names.ts'
import type { OrderRecord } from './order-record.ts'
import { desiredOwners } from './owners.ts'
import { AcmeFailure } from './server/index.ts'

export interface IssueInput {
  readonly wanted: WantedCertificate
  readonly record: OrderRecord
  readonly chain: string
  /** The Secret as it is now. */
  readonly present: Secret | undefined
  readonly nowMs: number
}

export interface IssuedSecret {
  readonly secret: Secret
  readonly notAfterMs: number
  readonly renewAtMs: number
}

/** The Secret for what was issued; throws `AcmeFailure` when that is not what was ordered. */
export const issuedSecret = ({ wanted, record, chain, present, nowMs }: IssueInput): IssuedSecret => {
  const data = { 'tls.crt': encoded(chain), 'tls.key': encoded(record.key) }
  const bare = { ...emptySecret(wanted, present), data }
  const { certificate, problems } = readCertificate(wanted.secret, bare, { hosts: wanted.hosts, nowMs })
  const problem = problems.find(({ reason }) => reason !== 'CertificateExpired')
  if (certificate === undefined || problem !== undefined)
    throw new AcmeFailure('refused', `the ACME server issued something else: ${problem?.message ?? 'nothing'}`)
  const leaf = new X509Certificate(chain)
  if (hostsOf(leaf).join() !== wanted.hosts.join())
    throw new AcmeFailure(
      'refused',
      `the ACME server issued a certificate for ${hostsOf(leaf).join(', ')}, not ${wanted.hosts.join(', ')}`,
    )
  const renewAtMs = renewalOf(leaf, { secret: wanted.secret, issuedMs: nowMs })
  const notAfterMs = Date.parse(leaf.validTo)
  const annotations = {
    ...bare.metadata.annotations,
    [ISSUER]: record.server,
    [ORDER]: record.orderUrl ?? '',
    [ISSUED_AT]: new Date(nowMs).toISOString(),
    [NOT_AFTER]: new Date(notAfterMs).toISOString(),
    [RENEW_AT]: new Date(renewAtMs).toISOString(),
  }
  return { secret: { ...bare, metadata: { ...bare.metadata, annotations } }, notAfterMs, renewAtMs }
}

/** What is written before anything is ordered, as a trial: whether we may. */
export const trialSecret = (wanted: WantedCertificate, present: Secret | undefined): Secret => ({
  ...emptySecret(wanted, present),
  data: present?.data ?? { 'tls.crt': '', 'tls.key': '' },
})

const emptySecret = (wanted: WantedCertificate, present: Secret | undefined): Secret => {
  const [namespace = '', name = ''] = wanted.secret.split('/')
  const { labels, annotations, resourceVersion, uid } = present?.metadata ?? {}
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      namespace,
      name,
      labels: { ...labels, ...labelsOf('certificate') },
      annotations: { ...annotations },
      ownerReferences: desiredOwners(wanted),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(uid === undefined ? {} : { uid }),
    },
    type: present?.type ?? 'kubernetes.io/tls',
  }
}

const encoded = (text: string): string => Buffer.from(text).toString('base64')
