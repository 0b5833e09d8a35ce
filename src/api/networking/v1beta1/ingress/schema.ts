import {
  always,
  embed,
  type Infer,
  intOrString,
  list,
  object,
  oneOf,
  optional,
  required,
  string,
} from '../../../../schema/index.ts'
import { typedLocalObjectReferenceSchema } from '../../../core/reference.ts'
import { objectMetaSchema } from '../../../meta/object-meta.ts'
import { typeMeta } from '../../../meta/type-meta.ts'
import { ingressStatusSchema, ingressTLSSchema } from '../../ingress/schema.ts'

const ingressBackendSchema = object('IngressBackend', {
  serviceName: optional(1, string(), 'Name of the Service, in the namespace of the Ingress.'),
  servicePort: optional(2, intOrString(), 'Port of the Service, by number or by name.'),
  resource: optional(3, typedLocalObjectReferenceSchema, 'Another object to send requests to, in place of a Service.'),
})
export type IngressBackendV1beta1 = Infer<typeof ingressBackendSchema>

const httpIngressPathSchema = object('HTTPIngressPath', {
  path: optional(1, string(), 'Path of the request, read as pathType says.'),
  backend: required(2, ingressBackendSchema, 'Where requests for the path go.'),
  pathType: always(
    3,
    oneOf('Exact', 'Prefix', 'ImplementationSpecific'),
    'How the path is matched; left to the controller (ImplementationSpecific) when not said.',
  ),
})

const httpIngressRuleValueSchema = object('HTTPIngressRuleValue', {
  paths: required(1, list(httpIngressPathSchema, { type: 'atomic' })),
})

const ingressRuleValueSchema = object('IngressRuleValue', {
  http: optional(1, httpIngressRuleValueSchema),
})

const ingressRuleSchema = embed(
  object('IngressRule', {
    host: optional(1, string(), 'Host of the requests; all hosts when empty.'),
  }),
  2,
  ingressRuleValueSchema,
)
export type IngressRuleV1beta1 = Infer<typeof ingressRuleSchema>

const ingressSpecSchema = object('IngressSpec', {
  backend: optional(1, ingressBackendSchema, 'Where requests go that no rule matches.'),
  tls: optional(2, list(ingressTLSSchema, { type: 'atomic' })),
  rules: optional(3, list(ingressRuleSchema, { type: 'atomic' })),
  ingressClassName: optional(4, string(), 'Name of the IngressClass that serves it.'),
})

export const ingressSchema = object(
  'Ingress',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, ingressSpecSchema),
    status: optional(3, ingressStatusSchema),
  },
  { doc: 'Rules that lead HTTP requests from outside to Services, by host and path.' },
)
/** An Ingress as it was before v1, in both groups that served it. */
export type IngressV1beta1 = Infer<typeof ingressSchema>
