import type { Listener } from '../../provider.ts'
import type { PortProtocols } from './annotations/index.ts'
import type { ListenerInfo, ListenerProtocol, LoadBalancerInfo } from './client/index.ts'
import { listenerSettings, ruleSettings, type SettingsInput } from './desired-settings.ts'
import { type Targets, targetsOf } from './desired-targets.ts'
import { listenerName } from './marks.ts'
import type { OwnerView } from './owner-view.ts'
import { isLayer7, type PlannedGroup, type PlannedListener, type PlannedRule, targetKey, transportOf } from './plan.ts'
import type { CertificateLookup, Lookups, PlanInput } from './plan-input.ts'

/** Why something of an owner is not as it wants. */
export interface Conflict {
  readonly ownerUid: string
  /** `TCP 80` of the Service; undefined for what concerns the whole. */
  readonly servicePort: string | undefined
  readonly reason: string
  readonly message: string
}

export interface PlannedListeners {
  readonly listeners: readonly PlannedListener[]
  readonly conflicts: readonly Conflict[]
}

type Context = PlanInput & {
  /** Listeners that are not ours to change. */
  readonly foreign: readonly ListenerInfo[]
}

/** Pure: listeners of owners, the oldest first; who comes first has the port, and the target. */
export const planListeners = (views: readonly OwnerView[], context: Context): PlannedListeners => {
  const conflicts: Conflict[] = []
  const taken = new Map<string, string>(
    context.foreign.map(({ protocol, port, id }) => [
      `${transportOf(protocol)} ${port}`,
      `the listener ${id}, which is not of this Service`,
    ]),
  )
  const listeners: PlannedListener[] = []
  for (const view of views) {
    const say = (conflict: Omit<Conflict, 'ownerUid'>): void => void conflicts.push({ ...conflict, ownerUid: view.owner.uid })
    checkConfig(view, context.lookups, say)
    for (const listener of view.owner.listeners) {
      for (const protocol of protocolsOf(view, listener, say)) {
        const place = `${transportOf(protocol)} ${listener.port}`
        const holder = taken.get(place)
        if (holder === undefined) {
          taken.set(place, `the Service ${view.owner.namespace}/${view.owner.name}`)
          listeners.push(planListener({ view, listener, protocol, say }, context))
        } else {
          say({
            servicePort: nameOf(listener),
            reason: 'PortConflict',
            message: `port ${place} of the load balancer belongs to ${holder}`,
          })
        }
      }
    }
  }
  return { listeners: withoutSharedTargets(listeners, conflicts), conflicts }
}

type Say = (conflict: Omit<Conflict, 'ownerUid'>) => void

const nameOf = ({ protocol, port }: Listener): string => `${protocol} ${port}`

const checkConfig = ({ owner, settings }: OwnerView, { configs }: Lookups, say: Say): void => {
  if (settings.config === undefined || configs.get(`${owner.namespace}/${settings.config}`) !== undefined) return
  const message = `there is no TkeServiceConfig ${owner.namespace}/${settings.config}; the listeners keep their settings`
  say({ servicePort: undefined, reason: 'TkeServiceConfigMissing', message })
}

/** The protocols of listeners for one port of a Service. */
const protocolsOf = ({ owner, settings }: OwnerView, listener: Listener, say: Say): readonly ListenerProtocol[] => {
  const { protocol, port } = listener
  if (protocol === 'SCTP') {
    say({ servicePort: nameOf(listener), reason: 'ProtocolUnsupported', message: `port ${port}: the load balancer has no SCTP` })
    return []
  }
  const specified = settings.protocols?.get(port)?.protocols ?? [protocol]
  const own = specified.filter((each) => transportOf(each) === protocol)
  const isOthers = (each: ListenerProtocol): boolean =>
    owner.listeners.some((other) => other.port === port && other.protocol === transportOf(each))
  const extra = specified.filter((each) => transportOf(each) !== protocol && !isOthers(each))
  if (extra.length === 0) return own
  if (settings.directAccess === true) return [...own, ...extra]
  const message = `port ${port} is ${protocol}, and specify-protocol asks for ${extra.join(', ')}, which needs direct-access to be "true"`
  say({ servicePort: nameOf(listener), reason: 'ProtocolNeedsDirectAccess', message })
  return own
}

interface Planning {
  readonly view: OwnerView
  readonly listener: Listener
  readonly protocol: ListenerProtocol
  readonly say: Say
}

const planListener = (planning: Planning, context: Context): PlannedListener => {
  const { view, listener, protocol, say } = planning
  const { owner, settings } = view
  const { nodes, nodeTargets, info, lookups } = context
  const { isSelectorUnknown } = view
  const from = { nodes, nodeTargets, instances: lookups.instances, isIPv6: isIPv6(info) }
  const targets = targetsOf({ ...from, owner, listener, settings, isSelectorUnknown })
  if (targets.problem !== undefined) say({ ...targets.problem, servicePort: nameOf(listener) })
  const specified = settings.protocols?.get(listener.port)
  const usesTls = protocol === 'TCP_SSL' || protocol === 'QUIC' || protocol === 'HTTPS'
  const isSni = protocol === 'HTTPS' && (specified?.hosts ?? []).some(({ tls }) => tls !== undefined)
  const certificateOf = (secret: string | undefined): readonly string[] | undefined =>
    certificate(planning, context.lookups, secret)
  const base = { owner, settings, config: configFor(planning, context), protocol, port: listener.port }
  const forGroup = { planning, context, specified, certificateOf, base, targets }
  return {
    ownerUid: owner.uid,
    servicePort: nameOf(listener),
    name: listenerName(owner.uid),
    protocol,
    port: listener.port,
    isSni,
    certificates: usesTls && !isSni ? certificateOf(specified?.tls) : [],
    isHeld: isUnguarded(planning),
    settings: isLayer7(protocol) ? {} : listenerSettings(base),
    groups: groupsOf(forGroup),
  }
}

const isIPv6 = ({ vips, ipv6 }: Pick<LoadBalancerInfo, 'vips' | 'ipv6'>): boolean => ipv6 !== undefined && vips.length === 0

/** A listener that should let only some in, with nothing that keeps the others out, is not opened. */
const isUnguarded = ({ view: { owner, settings }, listener, say }: Planning): boolean => {
  if (owner.sourceRanges.length === 0 || (settings.securityGroups ?? []).length > 0) return false
  const message =
    'loadBalancerSourceRanges: the load balancer lets nobody in by address alone; name security groups that do so in the annotation service.cloud.tencent.com/security-groups. No listener is opened until then'
  say({ servicePort: nameOf(listener), reason: 'SourceRangesNeedSecurityGroups', message })
  return true
}

const configFor = ({ view: { owner, settings } }: Planning, { lookups }: Context): SettingsInput['config'] =>
  settings.config === undefined ? undefined : lookups.configs.get(`${owner.namespace}/${settings.config}`)

/** Undefined, and told, where there is none: such a listener is not made, and one that is there keeps its own. */
const certificate = (
  { view: { owner }, listener, say }: Planning,
  { certificates }: Lookups,
  secret?: string,
): readonly string[] | undefined => {
  const found: CertificateLookup = certificates.get(`${owner.namespace}/${secret}`) ?? {
    problem: `the Secret ${owner.namespace}/${secret} was not read`,
  }
  if ('ids' in found) return found.ids
  say({ servicePort: nameOf(listener), reason: 'CertificateMissing', message: `port ${listener.port}: ${found.problem}` })
  return undefined
}

interface GroupInput {
  readonly planning: Planning
  readonly context: Context
  readonly specified: PortProtocols | undefined
  readonly certificateOf: (secret: string | undefined) => readonly string[] | undefined
  readonly base: SettingsInput
  readonly targets: Targets
}

const groupsOf = ({ planning, context, specified, certificateOf, base, targets }: GroupInput): readonly PlannedGroup[] => {
  const group = (rule: PlannedRule | undefined): PlannedGroup => ({
    rule,
    targets: targets.targets,
    isComplete: targets.isComplete,
    drains: planning.view.settings.graceShutdown !== false,
  })
  if (!isLayer7(planning.protocol)) return [group(undefined)]
  const own = context.info.vips[0] ?? context.info.ipv6 ?? context.info.domain ?? ''
  const hosts = specified?.hosts.length ? specified.hosts : [{ host: own, tls: undefined }]
  return hosts.map(({ host, tls }) => {
    const secret = tls ?? specified?.tls
    return group({
      domain: host,
      url: '/',
      certificates: planning.protocol === 'HTTPS' ? certificateOf(secret) : [],
      settings: ruleSettings(base, { domain: host, url: '/', isDefault: host === own }),
    })
  })
}

/** Layer 4 keeps the client's address, so one target may be behind one listener of a transport only: the first has it. */
const withoutSharedTargets = (listeners: readonly PlannedListener[], conflicts: Conflict[]): readonly PlannedListener[] => {
  const holders = new Map<string, PlannedListener>()
  return listeners.map((listener) => {
    if (isLayer7(listener.protocol)) return listener
    const groups = listener.groups.map((group) => {
      const mine = group.targets.filter((target) => {
        const key = `${transportOf(listener.protocol)} ${targetKey(target)}`
        if (!holders.has(key)) holders.set(key, listener)
        return holders.get(key) === listener
      })
      const lost = group.targets.find((target) => !mine.includes(target))
      if (lost === undefined) return group
      const holder = holders.get(`${transportOf(listener.protocol)} ${targetKey(lost)}`)
      conflicts.push({
        ownerUid: listener.ownerUid,
        servicePort: listener.servicePort,
        reason: 'TargetConflict',
        message: `port ${listener.port}: its targets are already behind port ${holder?.port} of the same load balancer, and a target can be behind one layer 4 listener only; give the ports different target ports`,
      })
      return { ...group, targets: mine }
    })
    return { ...listener, groups }
  })
}
