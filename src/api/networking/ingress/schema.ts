import { always, embed, type Infer, int32, list, object, oneOf, optional, required, string } from '../../../schema/index.ts'
import { typedLocalObjectReferenceSchema } from '../../core/reference.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

export const serviceBackendPortSchema = object(
  'ServiceBackendPort',
  {
    name: optional(1, string()),
    number: optional(2, int32()),
  },
  { atomic: true },
)
export type ServiceBackendPort = Infer<typeof serviceBackendPortSchema>

export const ingressServiceBackendSchema = object('IngressServiceBackend', {
  name: required(1, string()),
  port: optional(2, serviceBackendPortSchema),
})
export type IngressServiceBackend = Infer<typeof ingressServiceBackendSchema>

export const ingressBackendSchema = object('IngressBackend', {
  resource: optional(3, typedLocalObjectReferenceSchema),
  service: optional(4, ingressServiceBackendSchema),
})
export type IngressBackend = Infer<typeof ingressBackendSchema>

export const httpIngressPathSchema = object('HTTPIngressPath', {
  path: optional(1, string()),
  backend: required(2, ingressBackendSchema),
  pathType: required(3, oneOf('Exact', 'Prefix', 'ImplementationSpecific')),
})
export type HTTPIngressPath = Infer<typeof httpIngressPathSchema>

export const httpIngressRuleValueSchema = object('HTTPIngressRuleValue', {
  paths: required(1, list(httpIngressPathSchema, { type: 'atomic' })),
})
export type HTTPIngressRuleValue = Infer<typeof httpIngressRuleValueSchema>

const ingressRuleValueSchema = object('IngressRuleValue', {
  http: optional(1, httpIngressRuleValueSchema),
})

export const ingressRuleSchema = embed(
  object('IngressRule', {
    host: optional(1, string()),
  }),
  2,
  ingressRuleValueSchema,
)
export type IngressRule = Infer<typeof ingressRuleSchema>

export const ingressTLSSchema = object('IngressTLS', {
  hosts: optional(1, list(string(), { type: 'atomic' })),
  secretName: optional(2, string()),
})
export type IngressTLS = Infer<typeof ingressTLSSchema>

export const ingressSpecSchema = object('IngressSpec', {
  defaultBackend: optional(1, ingressBackendSchema),
  tls: optional(2, list(ingressTLSSchema, { type: 'atomic' })),
  rules: optional(3, list(ingressRuleSchema, { type: 'atomic' })),
  ingressClassName: optional(4, string()),
})
export type IngressSpec = Infer<typeof ingressSpecSchema>

export const ingressPortStatusSchema = object('IngressPortStatus', {
  port: required(1, int32()),
  protocol: required(2, oneOf('TCP', 'UDP', 'SCTP')),
  error: optional(3, string()),
})
export type IngressPortStatus = Infer<typeof ingressPortStatusSchema>

export const ingressLoadBalancerIngressSchema = object('IngressLoadBalancerIngress', {
  ip: optional(1, string()),
  hostname: optional(2, string()),
  ports: optional(4, list(ingressPortStatusSchema, { type: 'atomic' })),
})
export type IngressLoadBalancerIngress = Infer<typeof ingressLoadBalancerIngressSchema>

export const ingressLoadBalancerStatusSchema = object('IngressLoadBalancerStatus', {
  ingress: optional(1, list(ingressLoadBalancerIngressSchema, { type: 'atomic' })),
})
export type IngressLoadBalancerStatus = Infer<typeof ingressLoadBalancerStatusSchema>

export const ingressStatusSchema = object('IngressStatus', {
  loadBalancer: optional(1, ingressLoadBalancerStatusSchema),
})
export type IngressStatus = Infer<typeof ingressStatusSchema>

export const ingressSchema = object('Ingress', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  spec: always(2, ingressSpecSchema),
  status: optional(3, ingressStatusSchema),
})
export type Ingress = Infer<typeof ingressSchema>
