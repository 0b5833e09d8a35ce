import { CloudError, missing, outOfRange } from '../errors.ts'
import type { HealthCheck, Protocol } from '../model.ts'
import { numberOf, type Of, oneOf, optional, record, text, whole } from '../shape.ts'

export const healthCheckShape = record({
  HealthSwitch: optional(numberOf(0, 1)),
  TimeOut: optional(whole(2, 60)),
  IntervalTime: optional(whole(2, 300)),
  HealthNum: optional(whole(2, 10)),
  UnHealthNum: optional(whole(2, 10)),
  HttpCode: optional(whole(1, 31)),
  HttpCheckPath: optional(text({ max: 200, pattern: /^\// })),
  HttpCheckDomain: optional(text({ min: 0, max: 80 })),
  HttpCheckMethod: optional(oneOf('HEAD', 'GET')),
  CheckPort: optional(whole(-1, 65_535)),
  ContextType: optional(oneOf('HEX', 'TEXT')),
  SendContext: optional(text({ min: 0, max: 500 })),
  RecvContext: optional(text({ min: 0, max: 500 })),
  CheckType: optional(oneOf('TCP', 'HTTP', 'HTTPS', 'GRPC', 'PING', 'CUSTOM')),
  HttpVersion: optional(oneOf('HTTP/1.0', 'HTTP/1.1')),
  SourceIpType: optional(numberOf(0, 1)),
  ExtendedCode: optional(text({ max: 100 })),
})

type Given = Of<typeof healthCheckShape>
type CheckType = HealthCheck['type']

const TYPES: Readonly<Record<Protocol, readonly CheckType[]>> = {
  TCP: ['TCP', 'HTTP', 'CUSTOM'],
  TCP_SSL: ['TCP', 'HTTP'],
  QUIC: ['TCP', 'HTTP'],
  UDP: ['PING', 'CUSTOM'],
  HTTP: ['HTTP', 'GRPC', 'TCP'],
  HTTPS: ['HTTP', 'HTTPS', 'GRPC', 'TCP'],
}

const ALL_CODES = 31

/** The check that a request asks for, on top of what was there; the first type that a protocol lists is its default. */
export const healthCheckOf = (protocol: Protocol, given: Given = {}, before?: HealthCheck): HealthCheck => {
  const type = given.CheckType ?? before?.type ?? TYPES[protocol][0] ?? 'TCP'
  if (!TYPES[protocol].includes(type))
    throw new CloudError('InvalidParameter.ProtocolCheckFailed', `The check type ${type} is not for ${protocol} listeners.`)
  const interval = given.IntervalTime ?? before?.interval ?? 5
  const timeout = given.TimeOut ?? before?.timeout ?? 2
  if (timeout > interval) throw outOfRange('HealthCheck.TimeOut', `${timeout} is above IntervalTime ${interval}`)
  const port = portOf(given, before)
  return {
    isOn: given.HealthSwitch === undefined ? (before?.isOn ?? true) : given.HealthSwitch === 1,
    interval,
    timeout,
    healthyAfter: given.HealthNum ?? before?.healthyAfter ?? 3,
    unhealthyAfter: given.UnHealthNum ?? before?.unhealthyAfter ?? 3,
    type,
    codes: given.HttpCode ?? before?.codes ?? ALL_CODES,
    sourceIpType: given.SourceIpType ?? before?.sourceIpType ?? 1,
    ...(port !== undefined && { port }),
    ...httpParts(type, protocol, given, before),
    ...(type === 'CUSTOM' && { context: contextOf(given, before) }),
  }
}

const portOf = ({ CheckPort }: Given, before: HealthCheck | undefined): number | undefined => {
  if (CheckPort === undefined) return before?.port
  return CheckPort <= 0 ? undefined : CheckPort
}

const httpParts = (type: CheckType, protocol: Protocol, given: Given, before: HealthCheck | undefined): Partial<HealthCheck> => {
  if (type !== 'HTTP' && type !== 'HTTPS') return {}
  const domain = given.HttpCheckDomain ?? before?.domain
  const httpVersion = given.HttpVersion ?? before?.httpVersion
  if (protocol === 'TCP') {
    if (domain === undefined) throw missing('HealthCheck.HttpCheckDomain')
    if (httpVersion === undefined) throw missing('HealthCheck.HttpVersion')
  }
  return {
    path: given.HttpCheckPath ?? before?.path ?? '/',
    method: given.HttpCheckMethod ?? before?.method ?? 'HEAD',
    ...(domain !== undefined && { domain }),
    ...(httpVersion !== undefined && { httpVersion }),
  }
}

const contextOf = (given: Given, before: HealthCheck | undefined): NonNullable<HealthCheck['context']> => {
  const type = given.ContextType ?? before?.context?.type
  const send = given.SendContext ?? before?.context?.send
  const receive = given.RecvContext ?? before?.context?.receive
  if (type === undefined) throw missing('HealthCheck.ContextType')
  if (send === undefined) throw missing('HealthCheck.SendContext')
  if (receive === undefined) throw missing('HealthCheck.RecvContext')
  if (type === 'HEX' && ![send, receive].every((hex) => /^([0-9A-F]{2})*$/.test(hex)))
    throw new CloudError('InvalidParameter.FormatError', 'SendContext and RecvContext are pairs of 0123456789ABCDEF.')
  return { type, send, receive }
}
