import type { Kind } from '../../../kind.ts'
import { oldIngressKind } from '../../../networking/v1beta1/ingress/kind.ts'
import type { IngressV1beta1 } from '../../../networking/v1beta1/ingress/schema.ts'

/** The first home of Ingress. The short name is left to networking.k8s.io: kubectl from 1.32 warns each time when two groups have it. */
export const extensionsIngressKind: Kind<IngressV1beta1> = { ...oldIngressKind('extensions', 'v1.14'), shortNames: [] }
