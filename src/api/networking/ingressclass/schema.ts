import { always, type Infer, object, oneOf, optional, required, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const ingressClassParametersReferenceSchema = object('IngressClassParametersReference', {
  apiGroup: optional(1, string(), 'Group of the object; the core group when empty.'),
  kind: required(2, string(), 'Kind of the object.'),
  name: required(3, string(), 'Name of the object.'),
  scope: optional(4, oneOf('Cluster', 'Namespace'), 'Whether the object lies in the cluster (Cluster) or in a namespace.'),
  namespace: optional(5, string(), 'Namespace of the object, with scope Namespace only.'),
})
export type IngressClassParametersReference = Infer<typeof ingressClassParametersReferenceSchema>

const ingressClassSpecSchema = object('IngressClassSpec', {
  controller: optional(
    1,
    string(),
    'Who serves Ingresses of the class: a domain and a path, such as example.com/ingress. It can not change later.',
  ),
  parameters: optional(2, ingressClassParametersReferenceSchema, 'An object with settings for the controller.'),
})
export type IngressClassSpec = Infer<typeof ingressClassSpecSchema>

export const ingressClassSchema = object(
  'IngressClass',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema, 'Name, labels and the rest of what every object has.'),
    spec: always(2, ingressClassSpecSchema, 'What is wanted.'),
  },
  { doc: 'Names who serves Ingresses of a class.' },
)
export type IngressClass = Infer<typeof ingressClassSchema>
