import { badLength, CloudError, duplicate, missing, noListener, outOfRange, overQuota } from '../errors.ts'
import { isLayer7, type Listener, type LoadBalancer, type Protocol, usesTls } from '../model.ts'
import { flag, list, numberOf, type Of, oneOf, optional, record, text, whole } from '../shape.ts'
import type { State } from '../state.ts'
import { type Action, action, type Context, notModelled, type Outcome, replaceListener, startTask, unlocked } from './action.ts'
import { certificateOf, certificateShape, multiCertShape } from './certificate.ts'
import { healthCheckOf, healthCheckShape } from './health-check.ts'

const name = text({ max: 255 })

/** What CreateListener and ModifyListener share. */
const settings = {
  HealthCheck: optional(healthCheckShape),
  Certificate: optional(certificateShape),
  MultiCertInfo: optional(multiCertShape),
  SessionExpireTime: optional(whole(0, 3_600)),
  Scheduler: optional(oneOf('WRR', 'LEAST_CONN')),
  SniSwitch: optional(numberOf(0, 1)),
  TargetType: optional(oneOf('NODE')),
  SessionType: optional(oneOf('NORMAL')),
  KeepaliveEnable: optional(numberOf(0, 1)),
  DeregisterTargetRst: optional(flag),
  MaxConn: optional(whole(-1, 1_000_000)),
  MaxCps: optional(whole(-1, 1_000_000)),
  IdleConnectTimeout: optional(whole(10, 1_980)),
  ProxyProtocol: notModelled,
  SnatEnable: optional(flag),
  DataCompressMode: optional(oneOf('transparent', 'compatibility')),
  RescheduleTargetZeroWeight: optional(flag),
  RescheduleUnhealthy: optional(flag),
  RescheduleExpandTarget: optional(flag),
  RescheduleStartTime: optional(whole(0, 3_600)),
  RescheduleInterval: optional(whole(0, 3_600)),
}

const creation = record({
  LoadBalancerId: text(),
  Ports: list(whole(1, 65_535), 1, 50),
  Protocol: oneOf('TCP', 'UDP', 'TCP_SSL', 'QUIC', 'HTTP', 'HTTPS'),
  ListenerNames: optional(list(name, 0, 50)),
  EndPort: notModelled,
  FullEndPorts: notModelled,
  H2cSwitch: notModelled,
  SslCloseSwitch: notModelled,
  ...settings,
})

type Creation = Of<typeof creation>

const create = (state: State, request: Creation, context: Context): Outcome => {
  const before = unlocked(state, request.LoadBalancerId)
  const { Ports: ports, ListenerNames: names } = request
  if (names !== undefined && names.length !== ports.length) throw badLength('ListenerNames', 'one name for each port')
  if (new Set(ports).size < ports.length) throw duplicate('A port appears twice in `Ports`.')
  for (const port of ports) checkPort(before, request.Protocol, port)
  const { TOTAL_LISTENER_QUOTA: quota } = context.quotas
  if (before.listeners.length + ports.length > quota)
    throw overQuota(`The quota TOTAL_LISTENER_QUOTA of ${quota} is used up on ${before.id} (${before.listeners.length} in use).`)
  const made = ports.map((port, index) => newOne(request, context, { port, name: names?.[index] }))
  return startTask(context, {
    action: 'CreateListener',
    outcome: { [before.id]: { ...before, listeners: [...before.listeners, ...made] } },
    response: { ListenerIds: made.map(({ id }) => id) },
  })
}

const usesUdp = (protocol: Protocol): boolean => protocol === 'UDP' || protocol === 'QUIC'

const checkPort = ({ listeners }: LoadBalancer, protocol: Protocol, port: number): void => {
  const holder = listeners.find((one) => one.port === port && usesUdp(one.protocol) === usesUdp(protocol))
  if (holder !== undefined)
    throw new CloudError(
      'InvalidParameter.PortCheckFailed',
      `The port ${port} is used by listener ${holder.id} (${holder.protocol}).`,
    )
}

const newOne = (
  request: Creation,
  context: Context,
  { port, name }: { readonly port: number; readonly name: string | undefined },
): Listener => {
  const id = context.newId('lbl')
  const protocol = request.Protocol
  const isSni = request.SniSwitch === 1
  checkSettings(protocol, request)
  const certificate = certificateOf(request, context)
  if (usesTls(protocol) && certificate === undefined && !(protocol === 'HTTPS' && isSni)) throw missing('Certificate')
  return {
    id,
    name: name ?? id,
    protocol,
    port,
    createdAt: context.now,
    healthCheck: healthCheckOf(protocol, request.HealthCheck),
    scheduler: request.Scheduler ?? 'WRR',
    sessionExpireTime: request.SessionExpireTime ?? 0,
    sniSwitch: isSni,
    keepalive: request.KeepaliveEnable === 1,
    deregisterTargetRst: request.DeregisterTargetRst ?? false,
    rescheduleTargetZeroWeight: request.RescheduleTargetZeroWeight ?? false,
    targets: [],
    rules: [],
    ...(certificate !== undefined && { certificate }),
    ...limitsOf(request),
  }
}

type Settings = Pick<Creation, 'SessionExpireTime' | 'SniSwitch' | 'Certificate' | 'MultiCertInfo' | 'HealthCheck' | 'Scheduler'>

const checkSettings = (protocol: Protocol, request: Settings): void => {
  const session = request.SessionExpireTime ?? 0
  if (session !== 0 && session < 30) throw outOfRange('SessionExpireTime', `${session} is neither 0 nor from 30 to 3600`)
  const hasCertificate = request.Certificate !== undefined || request.MultiCertInfo !== undefined
  const refuse = (what: string): CloudError =>
    new CloudError('InvalidParameter.ProtocolCheckFailed', `\`${what}\` is not for ${protocol} listeners.`)
  if (hasCertificate && !usesTls(protocol)) throw refuse('Certificate')
  if (request.SniSwitch === 1 && protocol !== 'HTTPS') throw refuse('SniSwitch')
  if (request.SniSwitch === 1 && hasCertificate)
    throw new CloudError('InvalidParameter', 'With `SniSwitch` the certificates belong to the rules.')
  if (isLayer7(protocol)) {
    if (request.Scheduler !== undefined) throw refuse('Scheduler')
    if (session !== 0) throw refuse('SessionExpireTime')
  }
}

const limitsOf = (request: Pick<Creation, 'MaxConn' | 'MaxCps' | 'IdleConnectTimeout' | 'SnatEnable'>): Partial<Listener> => ({
  ...(request.MaxConn !== undefined && { maxConn: request.MaxConn }),
  ...(request.MaxCps !== undefined && { maxCps: request.MaxCps }),
  ...(request.IdleConnectTimeout !== undefined && { idleConnectTimeout: request.IdleConnectTimeout }),
  ...(request.SnatEnable !== undefined && { snatEnable: request.SnatEnable }),
})

const modification = record({ LoadBalancerId: text(), ListenerId: text(), ListenerName: optional(name), ...settings })

const modify = (state: State, request: Of<typeof modification>, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const before = listenerOf(loadBalancer, request.ListenerId)
  if (before.sniSwitch && request.SniSwitch === 0)
    throw new CloudError('InvalidParameter', '`SniSwitch` cannot be turned off again.')
  checkSettings(before.protocol, { ...request, ...(request.SniSwitch === undefined && before.sniSwitch && { SniSwitch: 1 }) })
  const certificate = certificateOf(request, context) ?? before.certificate
  const after: Listener = {
    ...before,
    name: request.ListenerName ?? before.name,
    healthCheck: healthCheckOf(before.protocol, request.HealthCheck, before.healthCheck),
    scheduler: request.Scheduler ?? before.scheduler,
    sessionExpireTime: request.SessionExpireTime ?? before.sessionExpireTime,
    sniSwitch: request.SniSwitch === undefined ? before.sniSwitch : request.SniSwitch === 1,
    keepalive: request.KeepaliveEnable === undefined ? before.keepalive : request.KeepaliveEnable === 1,
    deregisterTargetRst: request.DeregisterTargetRst ?? before.deregisterTargetRst,
    rescheduleTargetZeroWeight: request.RescheduleTargetZeroWeight ?? before.rescheduleTargetZeroWeight,
    ...(certificate !== undefined && { certificate }),
    ...limitsOf(request),
  }
  return startTask(context, { action: 'ModifyListener', outcome: { [loadBalancer.id]: replaceListener(loadBalancer, after) } })
}

export const listenerOf = (loadBalancer: LoadBalancer, id: string): Listener => {
  const found = loadBalancer.listeners.find((one) => one.id === id)
  if (found === undefined) throw noListener(id)
  return found
}

const deletion = record({ LoadBalancerId: text(), ListenerIds: optional(list(text(), 0, 20)) })

/** Without ids, every listener goes. */
const removeMany = (state: State, request: Of<typeof deletion>, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const ids = request.ListenerIds ?? []
  return remove(loadBalancer, ids.length === 0 ? loadBalancer.listeners.map(({ id }) => id) : ids, context)
}

const singleDeletion = record({ LoadBalancerId: text(), ListenerId: text() })

const removeOne = (state: State, request: Of<typeof singleDeletion>, context: Context): Outcome =>
  remove(unlocked(state, request.LoadBalancerId), [request.ListenerId], context)

const remove = (loadBalancer: LoadBalancer, ids: readonly string[], context: Context): Outcome => {
  const gone = new Set(ids.map((id) => listenerOf(loadBalancer, id).id))
  const left = loadBalancer.listeners.filter(({ id }) => !gone.has(id))
  for (const { id, rules } of left)
    for (const { rewrite } of rules)
      if (rewrite !== undefined && gone.has(rewrite.listenerId))
        throw new CloudError(
          'FailedOperation',
          `Listener ${rewrite.listenerId} is the target of a rewrite of listener ${id}; delete that first.`,
        )
  return startTask(context, { action: 'DeleteListener', outcome: { [loadBalancer.id]: { ...loadBalancer, listeners: left } } })
}

export const listenerActions: Readonly<Record<string, Action>> = {
  CreateListener: action(creation, create),
  ModifyListener: action(modification, modify),
  DeleteListener: action(singleDeletion, removeOne),
  DeleteLoadBalancerListeners: action(deletion, removeMany),
}
