import { always, embed, type Infer, int32, list, object, oneOf, optional, required, string } from '../../../schema/index.ts'
import { typedLocalObjectReferenceSchema } from '../../core/reference.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const serviceBackendPortSchema = object(
  'ServiceBackendPort',
  {
    name: optional(1, string(), 'Name of the port; this or number.'),
    number: optional(2, int32(), 'Number of the port; this or name.'),
  },
  { atomic: true },
)
export type ServiceBackendPort = Infer<typeof serviceBackendPortSchema>

const ingressServiceBackendSchema = object('IngressServiceBackend', {
  name: required(1, string(), 'Name of the Service, in the namespace of the Ingress.'),
  port: optional(2, serviceBackendPortSchema, 'Port of the Service.'),
})
export type IngressServiceBackend = Infer<typeof ingressServiceBackendSchema>

const ingressBackendSchema = object('IngressBackend', {
  resource: optional(3, typedLocalObjectReferenceSchema, 'Another object to send requests to, in place of a Service.'),
  service: optional(4, ingressServiceBackendSchema, 'The Service to send requests to.'),
})
export type IngressBackend = Infer<typeof ingressBackendSchema>

const httpIngressPathSchema = object('HTTPIngressPath', {
  path: optional(1, string(), 'Path of the request, from its first slash; read as pathType says.'),
  backend: required(2, ingressBackendSchema, 'Where requests for the path go.'),
  pathType: required(
    3,
    oneOf('Exact', 'Prefix', 'ImplementationSpecific'),
    'Exact: this path only. Prefix: this path and those below it, element by element. ImplementationSpecific: as the controller reads it.',
  ),
})
export type HTTPIngressPath = Infer<typeof httpIngressPathSchema>

const httpIngressRuleValueSchema = object('HTTPIngressRuleValue', {
  paths: required(
    1,
    list(httpIngressPathSchema, { type: 'atomic' }),
    'Paths and their backends; the longest that matches counts.',
  ),
})
export type HTTPIngressRuleValue = Infer<typeof httpIngressRuleValueSchema>

const ingressRuleValueSchema = object('IngressRuleValue', {
  http: optional(1, httpIngressRuleValueSchema, 'Paths of the host; without them all requests go to the default backend.'),
})

const ingressRuleSchema = embed(
  object('IngressRule', {
    host: optional(
      1,
      string(),
      'Host of the requests: a DNS name, with *. in front for any one label before it; all hosts when empty.',
    ),
  }),
  2,
  ingressRuleValueSchema,
)
export type IngressRule = Infer<typeof ingressRuleSchema>

export const ingressTLSSchema = object('IngressTLS', {
  hosts: optional(
    1,
    list(string(), { type: 'atomic' }),
    "Hosts for which the certificate is; those of the controller's default when empty.",
  ),
  secretName: optional(
    2,
    string(),
    'Secret of type kubernetes.io/tls that holds certificate and key, in the namespace of the Ingress.',
  ),
})
export type IngressTLS = Infer<typeof ingressTLSSchema>

const ingressSpecSchema = object('IngressSpec', {
  defaultBackend: optional(1, ingressBackendSchema, 'Where requests go that no rule matches.'),
  tls: optional(
    2,
    list(ingressTLSSchema, { type: 'atomic' }),
    'Certificates by host. All hosts share port 443; clients name the host that they want (SNI).',
  ),
  rules: optional(3, list(ingressRuleSchema, { type: 'atomic' }), 'Hosts and paths, and where their requests go.'),
  ingressClassName: optional(4, string(), 'Name of the IngressClass whose controller serves this Ingress.'),
})
export type IngressSpec = Infer<typeof ingressSpecSchema>

const ingressPortStatusSchema = object('IngressPortStatus', {
  port: required(1, int32(), 'Port of the entry.'),
  protocol: required(2, oneOf('TCP', 'UDP', 'SCTP'), 'Its protocol.'),
  error: optional(3, string(), 'Why it is not served, in one word.'),
})
export type IngressPortStatus = Infer<typeof ingressPortStatusSchema>

const ingressLoadBalancerIngressSchema = object('IngressLoadBalancerIngress', {
  ip: optional(1, string(), 'Address of the entry.'),
  hostname: optional(2, string(), 'DNS name of the entry.'),
  ports: optional(4, list(ingressPortStatusSchema, { type: 'atomic' }), 'State of each port.'),
})
export type IngressLoadBalancerIngress = Infer<typeof ingressLoadBalancerIngressSchema>

const ingressLoadBalancerStatusSchema = object('IngressLoadBalancerStatus', {
  ingress: optional(1, list(ingressLoadBalancerIngressSchema, { type: 'atomic' }), 'Where the Ingress is served.'),
})
export type IngressLoadBalancerStatus = Infer<typeof ingressLoadBalancerStatusSchema>

export const ingressStatusSchema = object('IngressStatus', {
  loadBalancer: optional(1, ingressLoadBalancerStatusSchema, 'Where the Ingress is served.'),
})
export type IngressStatus = Infer<typeof ingressStatusSchema>

export const ingressSchema = object(
  'Ingress',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema, 'Name, labels and the rest of what every object has.'),
    spec: always(2, ingressSpecSchema, 'What is wanted.'),
    status: optional(3, ingressStatusSchema, 'What is.'),
  },
  { doc: 'Rules that lead HTTP requests from outside to Services, by host and path.' },
)
export type Ingress = Infer<typeof ingressSchema>
