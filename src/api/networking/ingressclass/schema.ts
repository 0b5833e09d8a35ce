import { always, type Infer, object, oneOf, optional, required, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

export const ingressClassParametersReferenceSchema = object('IngressClassParametersReference', {
  apiGroup: optional(1, string()),
  kind: required(2, string()),
  name: required(3, string()),
  scope: optional(4, oneOf('Cluster', 'Namespace')),
  namespace: optional(5, string()),
})
export type IngressClassParametersReference = Infer<typeof ingressClassParametersReferenceSchema>

export const ingressClassSpecSchema = object('IngressClassSpec', {
  controller: optional(1, string()),
  parameters: optional(2, ingressClassParametersReferenceSchema),
})
export type IngressClassSpec = Infer<typeof ingressClassSpecSchema>

export const ingressClassSchema = object('IngressClass', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  spec: always(2, ingressClassSpecSchema),
})
export type IngressClass = Infer<typeof ingressClassSchema>
