import { badLength, CloudError, duplicate, missing, noLocation, outOfRange, overQuota } from '../errors.ts'
import { isLayer7, type Listener, type LoadBalancer, type Rule } from '../model.ts'
import { flag, list, type Of, oneOf, optional, record, text, whole } from '../shape.ts'
import type { State } from '../state.ts'
import { type Action, action, type Context, notModelled, type Outcome, replaceListener, startTask, unlocked } from './action.ts'
import { certificateOf, certificateShape, multiCertShape } from './certificate.ts'
import { healthCheckOf, healthCheckShape } from './health-check.ts'
import { listenerOf } from './listeners.ts'

/** A host, `*.` before one, or `.*` after one; an address is a host too. */
const domain = text({ max: 80, pattern: /^(\*\.)?[A-Za-z0-9_.-]+(\.\*)?$/ })
const url = text({ max: 200, pattern: /^\/[\x21-\x7e]*$/ })
const cookieName = text({ max: 64, pattern: /^[A-Za-z0-9_-]+$/ })

const settings = {
  HealthCheck: optional(healthCheckShape),
  Scheduler: optional(oneOf('WRR', 'LEAST_CONN', 'IP_HASH')),
  SessionExpireTime: optional(whole(0, 86_400)),
  ForwardType: optional(oneOf('HTTP', 'HTTPS', 'GRPC')),
  TrpcCallee: notModelled,
  TrpcFunc: notModelled,
  CookieName: optional(cookieName),
}

const ruleInput = record({
  Url: url,
  Domain: optional(domain),
  Domains: optional(list(domain, 1, 20)),
  Certificate: optional(certificateShape),
  MultiCertInfo: optional(multiCertShape),
  DefaultServer: optional(flag),
  Http2: optional(flag),
  TargetType: optional(oneOf('NODE')),
  Quic: notModelled,
  ...settings,
})

const creation = record({ LoadBalancerId: text(), ListenerId: text(), Rules: list(ruleInput, 1, 50) })

const create = (state: State, request: Of<typeof creation>, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const before = layer7Of(loadBalancer, request.ListenerId)
  const { TOTAL_LISTENER_RULE_QUOTA: quota } = context.quotas
  if (before.rules.length + request.Rules.length > quota)
    throw overQuota(`The quota TOTAL_LISTENER_RULE_QUOTA of ${quota} is used up on ${before.id} (${before.rules.length} in use).`)
  const made: Rule[] = []
  for (const input of request.Rules) made.push(newOne(input, { listener: before, vip: loadBalancer.vip }, context))
  const rules = [...before.rules]
  for (const rule of made) {
    checkUnique(rules, rule)
    rules.push(rule)
  }
  return startTask(context, {
    action: 'CreateRule',
    outcome: { [loadBalancer.id]: replaceListener(loadBalancer, { ...before, rules: withDefault(rules, defaultWanted(made)) }) },
    response: { LocationIds: made.map(({ id }) => id) },
  })
}

export const layer7Of = (loadBalancer: LoadBalancer, listenerId: string): Listener => {
  const listener = listenerOf(loadBalancer, listenerId)
  if (!isLayer7(listener.protocol))
    throw new CloudError(
      'InvalidParameter.ProtocolCheckFailed',
      `Listener ${listener.id} is ${listener.protocol}: it has no rules.`,
    )
  return listener
}

const newOne = (
  input: Of<typeof ruleInput>,
  { listener, vip }: { readonly listener: Listener; readonly vip: string },
  context: Context,
): Rule => {
  if (input.Domain !== undefined && input.Domains !== undefined)
    throw new CloudError('InvalidParameter', '`Domain` and `Domains` exclude each other.')
  const certificate = certificateOf(input, context)
  if (listener.protocol === 'HTTP' && (certificate !== undefined || input.Http2 === true))
    throw new CloudError('InvalidParameter.ProtocolCheckFailed', '`Certificate` and `Http2` are for HTTPS listeners.')
  const domains = (input.Domains ?? [input.Domain ?? vip]).map((one) => one.toLowerCase())
  if (listener.sniSwitch && certificate === undefined && !hasDomain(listener, domains)) throw missing('Certificate')
  checkSession(input.SessionExpireTime)
  return {
    id: context.newId('loc'),
    domains,
    url: input.Url,
    createdAt: context.now,
    healthCheck: healthCheckOf(listener.protocol, input.HealthCheck),
    scheduler: input.Scheduler ?? 'WRR',
    sessionExpireTime: input.SessionExpireTime ?? 0,
    forwardType: input.ForwardType ?? 'HTTP',
    isDefault: input.DefaultServer ?? false,
    http2: input.Http2 ?? false,
    targets: [],
    ...(input.CookieName !== undefined && { cookieName: input.CookieName }),
    ...(certificate !== undefined && { certificate }),
  }
}

const checkSession = (seconds: number | undefined): void => {
  if (seconds !== undefined && seconds !== 0 && seconds < 30)
    throw outOfRange('SessionExpireTime', `${seconds} is neither 0 nor from 30 to 86400`)
}

const hasDomain = ({ rules }: Listener, domains: readonly string[]): boolean =>
  rules.some((rule) => rule.certificate !== undefined && rule.domains.some((one) => domains.includes(one)))

const checkUnique = (rules: readonly Rule[], added: Rule): void => {
  const same = rules.find(
    (rule) => rule.id !== added.id && rule.url === added.url && rule.domains.some((one) => added.domains.includes(one)),
  )
  if (same !== undefined) throw duplicate(`The rule ${added.domains.join(',')}${added.url} exists already (${same.id}).`)
}

const defaultWanted = (made: readonly Rule[]): string | undefined => made.find(({ isDefault }) => isDefault)?.domains[0]

/** Exactly one domain of a listener is the default; the first one when nobody says which. */
const withDefault = (rules: readonly Rule[], wanted?: string): readonly Rule[] => {
  const domain = wanted ?? rules.find(({ isDefault }) => isDefault)?.domains[0] ?? rules[0]?.domains[0]
  return rules.map((rule) => {
    const isDefault = domain !== undefined && rule.domains.includes(domain)
    return rule.isDefault === isDefault ? rule : { ...rule, isDefault }
  })
}

const modification = record({
  LoadBalancerId: text(),
  ListenerId: text(),
  LocationId: text(),
  Url: optional(url),
  OAuth: notModelled,
  ...settings,
})

const modify = (state: State, request: Of<typeof modification>, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const listener = layer7Of(loadBalancer, request.ListenerId)
  const before = ruleById(listener, request.LocationId)
  checkSession(request.SessionExpireTime)
  const after: Rule = {
    ...before,
    url: request.Url ?? before.url,
    healthCheck: healthCheckOf(listener.protocol, request.HealthCheck, before.healthCheck),
    scheduler: request.Scheduler ?? before.scheduler,
    sessionExpireTime: request.SessionExpireTime ?? before.sessionExpireTime,
    forwardType: request.ForwardType ?? before.forwardType,
    ...(request.CookieName !== undefined && { cookieName: request.CookieName }),
  }
  checkUnique(listener.rules, after)
  const rules = listener.rules.map((rule) => (rule.id === after.id ? after : rule))
  return startTask(context, {
    action: 'ModifyRule',
    outcome: { [loadBalancer.id]: replaceListener(loadBalancer, { ...listener, rules }) },
  })
}

export const ruleById = ({ id, rules }: Listener, locationId: string): Rule => {
  const found = rules.find((rule) => rule.id === locationId)
  if (found === undefined) throw noLocation(`${locationId} of ${id}`)
  return found
}

/** A rule by its id, or by its domain and URL. */
export const ruleNamed = (
  listener: Listener,
  { LocationId, Domain, Url }: { readonly LocationId?: string; readonly Domain?: string; readonly Url?: string },
): Rule => {
  if (LocationId !== undefined) return ruleById(listener, LocationId)
  if (Domain === undefined || Url === undefined) throw missing('LocationId')
  const found = listener.rules.find((rule) => rule.url === Url && rule.domains.includes(Domain.toLowerCase()))
  if (found === undefined) throw noLocation(`${Domain}${Url} of ${listener.id}`)
  return found
}

const deletion = record({
  LoadBalancerId: text(),
  ListenerId: text(),
  LocationIds: optional(list(text(), 1, 50)),
  Domain: optional(domain),
  Url: optional(url),
  NewDefaultServerDomain: optional(domain),
})

const remove = (state: State, request: Of<typeof deletion>, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const listener = layer7Of(loadBalancer, request.ListenerId)
  const gone = new Set(rulesToRemove(listener, request).map(({ id }) => id))
  for (const { rewrite } of loadBalancer.listeners.flatMap(({ rules }) => rules.filter(({ id }) => !gone.has(id))))
    if (rewrite !== undefined && gone.has(rewrite.locationId))
      throw new CloudError('FailedOperation', `Location ${rewrite.locationId} is the target of a rewrite; delete that first.`)
  const left = listener.rules.filter(({ id }) => !gone.has(id))
  const rules = withDefault(left, existingDomain(left, request.NewDefaultServerDomain))
  return startTask(context, {
    action: 'DeleteRule',
    outcome: { [loadBalancer.id]: replaceListener(loadBalancer, { ...listener, rules }) },
  })
}

const rulesToRemove = (listener: Listener, request: Of<typeof deletion>): readonly Rule[] => {
  if (request.LocationIds !== undefined) return request.LocationIds.map((id) => ruleById(listener, id))
  const { Domain, Url } = request
  if (Domain === undefined) throw missing('LocationIds')
  if (Url !== undefined) return [ruleNamed(listener, { Domain, Url })]
  const found = listener.rules.filter(({ domains }) => domains.includes(Domain.toLowerCase()))
  if (found.length === 0) throw noLocation(`${Domain} of ${listener.id}`)
  return found
}

const existingDomain = (rules: readonly Rule[], domain: string | undefined): string | undefined => {
  if (domain === undefined) return undefined
  const name = domain.toLowerCase()
  if (!rules.some(({ domains }) => domains.includes(name))) throw noLocation(`with domain ${domain}`)
  return name
}

const domainChange = record({
  LoadBalancerId: text(),
  ListenerId: text(),
  Domain: domain,
  NewDomain: optional(domain),
  NewDomains: optional(list(domain, 1, 20)),
  Certificate: optional(certificateShape),
  MultiCertInfo: optional(multiCertShape),
  Http2: optional(flag),
  DefaultServer: optional(flag),
  Quic: notModelled,
  NewDefaultServerDomain: optional(domain),
})

const modifyDomain = (state: State, request: Of<typeof domainChange>, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const listener = layer7Of(loadBalancer, request.ListenerId)
  const name = request.Domain.toLowerCase()
  if (!listener.rules.some(({ domains }) => domains.includes(name)))
    throw noLocation(`with domain ${request.Domain} of ${listener.id}`)
  if (request.NewDomain !== undefined && request.NewDomains !== undefined)
    throw badLength('NewDomains', 'not together with NewDomain')
  const certificate = certificateOf(request, context)
  if (listener.protocol === 'HTTP' && (certificate !== undefined || request.Http2 === true))
    throw new CloudError('InvalidParameter.ProtocolCheckFailed', '`Certificate` and `Http2` are for HTTPS listeners.')
  const newDomains = (request.NewDomains ?? (request.NewDomain === undefined ? undefined : [request.NewDomain]))?.map((one) =>
    one.toLowerCase(),
  )
  const changed = listener.rules.map((rule) =>
    rule.domains.includes(name)
      ? {
          ...rule,
          domains: newDomains ?? rule.domains,
          http2: request.Http2 ?? rule.http2,
          ...(certificate !== undefined && { certificate }),
        }
      : rule,
  )
  for (const rule of changed) checkUnique(changed, rule)
  const wanted =
    request.DefaultServer === true ? (newDomains?.[0] ?? name) : existingDomain(changed, request.NewDefaultServerDomain)
  const after = { ...listener, rules: withDefault(changed, wanted) }
  return startTask(context, {
    action: 'ModifyDomainAttributes',
    outcome: { [loadBalancer.id]: replaceListener(loadBalancer, after) },
  })
}

export const ruleActions: Readonly<Record<string, Action>> = {
  CreateRule: action(creation, create),
  ModifyRule: action(modification, modify),
  DeleteRule: action(deletion, remove),
  ModifyDomainAttributes: action(domainChange, modifyDomain),
}
