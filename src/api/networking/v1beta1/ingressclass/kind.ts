import type { Kind, KubeObject } from '../../../kind.ts'
import { ingressClassKind } from '../../ingressclass/kind.ts'
import type { IngressClass } from '../../ingressclass/schema.ts'

/** IngressClass before v1: the same but for the version's name. */
export const ingressClassV1beta1Kind: Kind<IngressClass> = {
  ...ingressClassKind,
  version: 'v1beta1',
  warnings: () => [
    'networking.k8s.io/v1beta1 IngressClass is deprecated in v1.19+, unavailable in v1.22+; use networking.k8s.io/v1 IngressClass',
  ],
  conversion: {
    hub: ingressClassKind,
    toHub: (object) => ({ ...object, apiVersion: 'networking.k8s.io/v1' }),
    // The API server hands over objects of the hub only.
    fromHub: (hub: KubeObject) => ({ ...(hub as IngressClass), apiVersion: 'networking.k8s.io/v1beta1' }),
  },
}
