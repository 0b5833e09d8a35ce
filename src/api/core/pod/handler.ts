import {
  embed,
  type Infer,
  int32,
  int64,
  intOrString,
  list,
  object,
  oneOf,
  optional,
  required,
  string,
} from '../../../schema/index.ts'

const execActionSchema = object('ExecAction', {
  command: optional(1, list(string(), { type: 'atomic' })),
})
export type ExecAction = Infer<typeof execActionSchema>

const httpHeaderSchema = object('HTTPHeader', {
  name: required(1, string()),
  value: required(2, string()),
})
export type HTTPHeader = Infer<typeof httpHeaderSchema>

const httpGetActionSchema = object('HTTPGetAction', {
  path: optional(1, string()),
  port: required(2, intOrString()),
  host: optional(3, string()),
  scheme: optional(4, oneOf('HTTP', 'HTTPS')),
  httpHeaders: optional(5, list(httpHeaderSchema, { type: 'atomic' })),
})
export type HTTPGetAction = Infer<typeof httpGetActionSchema>

const tcpSocketActionSchema = object('TCPSocketAction', {
  port: required(1, intOrString()),
  host: optional(2, string()),
})
export type TCPSocketAction = Infer<typeof tcpSocketActionSchema>

const grpcActionSchema = object('GRPCAction', {
  port: required(1, int32()),
  service: optional(2, string()),
})
export type GRPCAction = Infer<typeof grpcActionSchema>

const sleepActionSchema = object('SleepAction', {
  seconds: required(1, int64()),
})
export type SleepAction = Infer<typeof sleepActionSchema>

const lifecycleHandlerSchema = object('LifecycleHandler', {
  exec: optional(1, execActionSchema),
  httpGet: optional(2, httpGetActionSchema),
  tcpSocket: optional(3, tcpSocketActionSchema),
  sleep: optional(4, sleepActionSchema),
})
export type LifecycleHandler = Infer<typeof lifecycleHandlerSchema>

export const lifecycleSchema = object('Lifecycle', {
  postStart: optional(1, lifecycleHandlerSchema),
  preStop: optional(2, lifecycleHandlerSchema),
  stopSignal: optional(3, string()),
})
export type Lifecycle = Infer<typeof lifecycleSchema>

const probeHandlerSchema = object('ProbeHandler', {
  exec: optional(1, execActionSchema),
  httpGet: optional(2, httpGetActionSchema),
  tcpSocket: optional(3, tcpSocketActionSchema),
  grpc: optional(4, grpcActionSchema),
})

export const probeSchema = embed(
  object('Probe', {
    initialDelaySeconds: optional(2, int32()),
    timeoutSeconds: optional(3, int32()),
    periodSeconds: optional(4, int32()),
    successThreshold: optional(5, int32()),
    failureThreshold: optional(6, int32()),
    terminationGracePeriodSeconds: optional(7, int64()),
  }),
  1,
  probeHandlerSchema,
)
export type Probe = Infer<typeof probeSchema>
