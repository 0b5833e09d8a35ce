import type { Secret } from '../../api/index.ts'
import type { WantedCertificate } from './desired.ts'

export type Owners = NonNullable<Secret['metadata']['ownerReferences']>

/** The Ingresses that ask for a certificate: when the last of them is deleted, the garbage collector takes the Secret. */
export const desiredOwners = ({ ingresses }: WantedCertificate): Owners =>
  ingresses.flatMap(({ metadata: { name, uid } }) =>
    uid === undefined ? [] : [{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name, uid }],
  )

export const hasOwners = ({ metadata }: Secret, owners: Owners): boolean => uids(metadata.ownerReferences) === uids(owners)

const uids = (owners: Owners | undefined): string =>
  (owners ?? [])
    .map(({ uid }) => uid)
    .sort()
    .join()
