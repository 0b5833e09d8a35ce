import type { LoadBalancerIngress } from '../../../api/index.ts'
import type { Outcome, Owner, Problem, ServiceOutcome } from '../../provider.ts'
import type { LoadBalancerInfo } from './client/index.ts'
import type { Converged } from './converge.ts'
import { placeOf } from './diff.ts'
import { listenerName } from './marks.ts'
import type { OwnerView } from './owner-view.ts'
import type { PlannedListener } from './plan.ts'
import { ID_ANNOTATION } from './record.ts'

export interface OutcomeInput {
  readonly views: readonly OwnerView[]
  readonly converged: Converged
  /** Of the whole, for every owner. */
  readonly problems: readonly Problem[]
  readonly isFull: boolean
}

/** Listeners that could not have theirs are tried again after this time. */
const RETRY_MS = 30_000

export const RELEASED: ServiceOutcome = { ingress: [], problems: [], isReleased: true }

export const outcomeOf = ({ views, converged, problems, isFull }: OutcomeInput): Outcome => {
  const { failures, refusals, waitMs } = converged
  const retryMs = failures.size > 0 || refusals.length > 0 ? RETRY_MS : undefined
  const againAfterMs = Math.min(waitMs ?? Number.POSITIVE_INFINITY, retryMs ?? Number.POSITIVE_INFINITY)
  const repaired = isFull ? repairs(views, converged) : []
  return {
    ...(Number.isFinite(againAfterMs) && { againAfterMs: Math.max(1, Math.ceil(againAfterMs)) }),
    ...(repaired.length > 0 && { repaired }),
    services: new Map(views.map((view) => [view.owner.uid, serviceOutcome(view, converged, problems)])),
  }
}

const serviceOutcome = ({ owner, isFrozen }: OwnerView, converged: Converged, shared: readonly Problem[]): ServiceOutcome => {
  const { observed, plan, refusals } = converged
  if (owner.state === 'leaving') {
    const isLeft = !isFrozen && observed.listeners.some(({ name }) => name === listenerName(owner.uid))
    return isLeft ? { ingress: [], problems: [], isReleased: false } : RELEASED
  }
  const problems = [
    ...shared,
    ...(plan.problems.get(owner.uid) ?? []),
    ...failuresOf(owner, converged).map(([, message]) => ({ reason: 'ListenerFailed', message })),
    ...refusals.map((message) => ({ reason: 'LoadBalancerRefused', message })),
  ]
  return {
    ingress: isFrozen ? owner.ingress : ingressOf(owner, converged),
    problems,
    isReleased: false,
    annotations: { [ID_ANNOTATION]: observed.info.id },
  }
}

const failuresOf = ({ uid }: Owner, { plan, failures }: Converged): readonly (readonly [PlannedListener, string])[] =>
  plan.listeners.flatMap((listener) => {
    const reason = listener.ownerUid === uid ? failures.get(placeOf(listener)) : undefined
    return reason === undefined ? [] : [[listener, reason] as const]
  })

const ingressOf = (owner: Owner, converged: Converged): readonly LoadBalancerIngress[] => {
  const { observed, plan } = converged
  const own = plan.listeners.filter(({ ownerUid }) => ownerUid === owner.uid)
  const errors = new Map(plan.portErrors.get(owner.uid))
  for (const [listener] of failuresOf(owner, converged)) errors.set(listener.servicePort, 'ListenerFailed')
  for (const listener of own) {
    const isThere = observed.listeners.some(
      ({ name, protocol, port }) => name === listener.name && protocol === listener.protocol && port === listener.port,
    )
    if (!isThere && !errors.has(listener.servicePort)) errors.set(listener.servicePort, 'NotServed')
  }
  const ports = owner.listeners.map(({ protocol, port }) => {
    const error = errors.get(`${protocol} ${port}`)
    return { port, protocol, ...(error && { error }) }
  })
  return addressesOf(observed.info).map((address) =>
    'ip' in address ? { ...address, ipMode: ipModeOf(own), ports } : { ...address, ports },
  )
}

/** Where the load balancer ends TLS or reads HTTP, a short cut past it inside of the cluster would miss that. */
const ipModeOf = (listeners: readonly PlannedListener[]): 'VIP' | 'Proxy' =>
  listeners.some(({ protocol }) => protocol !== 'TCP' && protocol !== 'UDP') ? 'Proxy' : 'VIP'

export const addressesOf = ({
  vips,
  ipv6,
  domain,
}: LoadBalancerInfo): readonly ({ readonly ip: string } | { readonly hostname: string })[] => {
  const ips = [...vips, ...(ipv6 === undefined ? [] : [ipv6])]
  if (ips.length > 0) return ips.map((ip) => ({ ip }))
  return domain === undefined ? [] : [{ hostname: domain }]
}

/** A full look at what nobody of us changed since: what was done about it is a repair. */
const repairs = (views: readonly OwnerView[], { operations, observed }: Converged): readonly string[] => {
  const isServed = views.every(({ owner }) => owner.state === 'wanted' && owner.ingress.length > 0)
  if (!isServed) return []
  return operations.map(({ kind }) => `${kind.replaceAll('-', ' ')} (${observed.info.id})`)
}
