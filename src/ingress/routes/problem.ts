import type { Ingress } from '../../api/index.ts'

/** Something that an Ingress asked for and does not get as it asked; told as an Event on it. */
export interface RouteProblem {
  /** `namespace/name` of the Ingress. */
  readonly ingress: string
  readonly reason: RouteProblemReason
  readonly message: string
}

export type RouteProblemReason =
  | 'RouteConflict'
  | 'DefaultBackendConflict'
  | 'CertificateConflict'
  | 'InvalidPath'
  | 'PathIsNotRegex'
  | 'ResourceBackendUnsupported'
  | 'ExternalNameUnsupported'
  | 'ServiceNotFound'
  | 'ServicePortNotFound'
  | 'ServicePortNotTCP'
  | 'SecretNotFound'
  | 'SecretForbidden'
  | 'CertificateInvalid'
  | 'CertificateExpired'
  | 'CertificateHostMismatch'
  | 'AnnotationInvalid'
  | 'AnnotationUnknown'
  | 'AnnotationRefused'
  | 'AliasConflict'
  | 'CanaryWithoutMain'
  | 'ClientAuthConflict'
  | 'PassthroughConflict'

export const keyOf = (object: { readonly metadata: { readonly namespace?: string; readonly name: string } }): string =>
  `${object.metadata.namespace ?? ''}/${object.metadata.name}`

/** Oldest first, then by namespace and name: who comes first keeps what others ask for later. */
export const byAge = (a: Ingress, b: Ingress): number =>
  compareText(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compareText(keyOf(a), keyOf(b))

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)
