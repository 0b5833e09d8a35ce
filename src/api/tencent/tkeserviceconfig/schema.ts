import { always, boolean, type Infer, int32, list, object, oneOf, optional, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

export const TKE_CHECK_TYPES = ['TCP', 'HTTP', 'HTTPS', 'GRPC', 'PING', 'CUSTOM'] as const
export const TKE_SCHEDULERS = ['WRR', 'LEAST_CONN', 'IP_HASH'] as const

const session = object('TkeSession', {
  enable: optional(1, boolean()),
  sessionExpireTime: optional(2, int32(), 'Seconds.'),
})

const healthCheck = object('TkeHealthCheck', {
  enable: optional(1, boolean()),
  intervalTime: optional(2, int32(), 'Seconds between two checks.'),
  timeout: optional(3, int32(), 'Seconds; below the interval.'),
  healthNum: optional(4, int32()),
  unHealthNum: optional(5, int32()),
  checkType: optional(6, oneOf(...TKE_CHECK_TYPES)),
  checkPort: optional(7, int32()),
  httpCheckPath: optional(8, string()),
  httpCheckDomain: optional(9, string()),
  httpCheckMethod: optional(10, oneOf('GET', 'HEAD')),
  httpCode: optional(11, int32(), 'Bits for 1xx to 5xx.'),
  httpVersion: optional(12, oneOf('HTTP/1.0', 'HTTP/1.1')),
  sourceIpType: optional(13, int32(), '0: the address of the load balancer, 1: of 100.64.0.0/10.'),
})

const l4Listener = object('TkeL4Listener', {
  protocol: optional(1, oneOf('TCP', 'UDP', 'TCP_SSL', 'QUIC')),
  port: optional(2, int32()),
  session: optional(3, session),
  healthCheck: optional(4, healthCheck),
  scheduler: optional(5, oneOf('WRR', 'LEAST_CONN')),
})

const rule = object('TkeRule', {
  url: optional(1, string()),
  forwardType: optional(2, oneOf('HTTP', 'HTTPS', 'GRPC')),
  session: optional(3, session),
  healthCheck: optional(4, healthCheck),
  scheduler: optional(5, oneOf(...TKE_SCHEDULERS)),
})

const domain = object('TkeDomain', {
  domain: optional(1, string(), 'Empty for the address of the load balancer.'),
  http2: optional(2, boolean()),
  rules: optional(3, list(rule)),
})

const l7Listener = object('TkeL7Listener', {
  protocol: optional(1, oneOf('HTTP', 'HTTPS')),
  port: optional(2, int32()),
  defaultServer: optional(3, string()),
  keepaliveEnable: optional(4, int32()),
  snatEnable: optional(5, boolean()),
  listenerName: optional(6, string()),
  domains: optional(7, list(domain)),
})

const loadBalancer = object('TkeLoadBalancer', {
  internetMaxBandwidthOut: optional(1, int32(), 'Mbps.'),
  l4Listeners: optional(2, list(l4Listener)),
  l7Listeners: optional(3, list(l7Listener)),
})

const spec = object('TkeServiceConfigSpec', { loadBalancer: optional(1, loadBalancer) })

export const tkeServiceConfigSchema = object(
  'TkeServiceConfig',
  { ...typeMeta, metadata: always(1, objectMetaSchema), spec: always(2, spec) },
  { doc: "Settings of listeners of Tencent Cloud's load balancers; a Service names it by annotation." },
)
export type TkeServiceConfig = Infer<typeof tkeServiceConfigSchema>
export type TkeHealthCheck = Infer<typeof healthCheck>
export type TkeSession = Infer<typeof session>
