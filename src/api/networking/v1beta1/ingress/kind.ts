import type { Kind, KubeObject } from '../../../kind.ts'
import { ingressKind } from '../../ingress/kind.ts'
import type { Ingress } from '../../ingress/schema.ts'
import { ingressFromHub, ingressToHub, setIngressV1beta1Defaults } from './conversion.ts'
import { type IngressV1beta1, ingressSchema } from './schema.ts'

/** Ingress in its old shape; the two groups that have it differ in name and age only. */
export const oldIngressKind = (group: string, deprecatedSince: string): Kind<IngressV1beta1> => ({
  ...ingressKind,
  group,
  version: 'v1beta1',
  schema: ingressSchema,
  columns: ingressKind.columns.map((column) => ({
    ...column,
    cell: (ingress, nowMs) => column.cell(ingressToHub(ingress), nowMs),
  })),
  selectableFields: [],
  setDefaults: setIngressV1beta1Defaults,
  validate: (ingress, old) => ingressKind.validate(ingressToHub(ingress), old === undefined ? undefined : ingressToHub(old)),
  warnings: (ingress) => [
    `${group}/v1beta1 Ingress is deprecated in ${deprecatedSince}+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress`,
    ...(ingressKind.warnings?.(ingressToHub(ingress)) ?? []),
  ],
  conversion: {
    hub: ingressKind,
    toHub: ingressToHub,
    // The API server hands over objects of the hub only.
    fromHub: (hub: KubeObject) => ingressFromHub(hub as Ingress, `${group}/v1beta1`),
  },
})

export const ingressV1beta1Kind = oldIngressKind('networking.k8s.io', 'v1.19')
