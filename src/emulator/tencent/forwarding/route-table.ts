import {
  type Backend,
  type Certificate,
  emptyTable,
  type HostRoutes,
  type PathRoute,
  type RoutePolicy,
  type RouteTable,
} from '../../../l7/index.ts'
import type { StoredCertificate } from '../certificates.ts'
import type { Listener, ListenerCertificate, Rewrite, Rule, Target } from '../model.ts'
import type { UpdateContext } from './open-listener.ts'

export interface TableSources extends UpdateContext {
  certificate(id: string): StoredCertificate | undefined
  isDead(rule: Rule, target: Target): boolean
}

/** What the HTTP engine serves for a listener: its rules by domain; the default domain takes every other host. */
export const routeTableOf = (listener: Listener, sources: TableSources): RouteTable => {
  const hosts = new Map<string, HostRoutes>()
  for (const rule of listener.rules) {
    const route = routeOf(rule, sources)
    const names = [...rule.domains, ...(rule.isDefault ? [''] : [])]
    for (const name of names) hosts.set(name, { paths: [...(hosts.get(name)?.paths ?? []), route] })
  }
  return {
    ...emptyTable,
    hosts,
    backends: new Map(listener.rules.map((rule) => [rule.id, backendOf(rule, sources)])),
    ...(listener.protocol === 'HTTPS' && tlsOf(listener, sources)),
  }
}

const routeOf = (rule: Rule, sources: TableSources): PathRoute => ({
  match: 'prefix',
  path: rule.url,
  target: { backend: rule.id, labels: { location: rule.id }, policy: policyOf(rule, sources) },
})

const policyOf = (rule: Rule, sources: TableSources): RoutePolicy => {
  if (rule.rewrite !== undefined) return { redirects: [redirectOf(rule.rewrite, sources)] }
  return {
    ...(rule.scheduler === 'IP_HASH' && { hashBy: { key: [{ of: 'clientAddress' }] } }),
    ...(rule.sessionExpireTime > 0 && {
      sticky: { name: rule.cookieName ?? 'tgw_l7_route', mode: 'persistent', path: '/', maxAgeSeconds: rule.sessionExpireTime },
    }),
  }
}

/** To where the target really listens: where ports are moved, a client that follows must arrive. */
const redirectOf = ({ listenerId, locationId, code, takeUrl }: Rewrite, { siblings, portOf }: TableSources) => {
  const listener = siblings.find(({ id }) => id === listenerId)
  const rule = listener?.rules.find(({ id }) => id === locationId)
  const isTls = listener?.protocol === 'HTTPS'
  const port = portOf(listenerId) ?? listener?.port
  const usual = isTls ? 443 : 80
  const domain = rule?.domains[0]
  const host = domain === undefined || domain.startsWith('*') ? ({ of: 'host' } as const) : domain
  const authority = [isTls ? 'https://' : 'http://', host, ...(port === undefined || port === usual ? [] : [`:${port}`])]
  return {
    status: code,
    when: 'always' as const,
    to: [...authority, takeUrl ? ({ of: 'requestUri' } as const) : (rule?.url ?? '/')],
  }
}

/** Dead targets get nothing, unless all are; a weight of 0 gets nothing new. */
const backendOf = (rule: Rule, sources: TableSources): Backend => {
  const living = rule.targets.filter((target) => target.weight === 0 || !sources.isDead(rule, target))
  const usable = living.some(({ weight }) => weight > 0) ? living : rule.targets
  const isAnyWeighted = usable.some(({ weight }) => weight > 0)
  return {
    endpoints: isAnyWeighted ? usable.map(({ address, port, weight }) => ({ address, port, weight })) : [],
    ...(rule.scheduler === 'LEAST_CONN' && { balance: 'least-requests' }),
    ...(rule.forwardType === 'GRPC' && { protocol: 'h2c' }),
    ...(rule.forwardType === 'HTTPS' && { protocol: 'https', tls: { verify: false } }),
    ...(!isAnyWeighted && { unavailable: 'no-target-with-a-weight' }),
  }
}

/** Certificates by domain; that of the listener is for all other names. */
const tlsOf = (listener: Listener, sources: TableSources): Partial<RouteTable> => {
  const named: [string, ListenerCertificate][] = listener.rules.flatMap(({ domains, certificate, isDefault }) =>
    certificate === undefined
      ? []
      : [...domains, ...(isDefault ? [''] : [])].map((domain): [string, ListenerCertificate] => [domain, certificate]),
  )
  const all = new Map(
    listener.certificate === undefined ? named : [['', listener.certificate], ...(listener.sniSwitch ? named : [])],
  )
  const certificates = new Map<string, Certificate>()
  const tlsHosts = new Map<string, string>()
  const clientAuth = new Map<string, NonNullable<ReturnType<typeof clientAuthOf>>>()
  for (const [domain, certificate] of all) {
    const [id = ''] = certificate.ids
    const { chain, key } = sources.certificate(id) ?? {}
    if (chain === undefined || key === undefined) continue
    certificates.set(id, { chain, key })
    tlsHosts.set(domain, id)
    const auth = clientAuthOf(certificate, sources)
    if (auth !== undefined) clientAuth.set(domain, auth)
  }
  return { certificates, tlsHosts, ...(clientAuth.size > 0 && { clientAuth }) }
}

const clientAuthOf = ({ mode, caId }: ListenerCertificate, { certificate }: TableSources) => {
  const ca = mode === 'MUTUAL' ? certificate(caId ?? '')?.chain : undefined
  return ca === undefined ? undefined : { ca, verify: 'required' as const, depth: 5, passToUpstream: false }
}
