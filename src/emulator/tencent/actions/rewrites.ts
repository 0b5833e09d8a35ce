import { badLength, CloudError } from '../errors.ts'
import type { Listener, LoadBalancer, Rewrite, Rule } from '../model.ts'
import { flag, list, numberOf, type Of, optional, record, text } from '../shape.ts'
import type { State } from '../state.ts'
import { type Action, action, answer, type Context, existing, type Outcome, startTask, unlocked } from './action.ts'
import { describeRule } from './describe.ts'
import { listenerOf } from './listeners.ts'
import { layer7Of, ruleById } from './rules.ts'

const code = numberOf(301, 302, 307)
const DEFAULT_CODE = 302

const rewriteInfo = record({
  SourceLocationId: text(),
  TargetLocationId: text(),
  RewriteCode: optional(code),
  TakeUrl: optional(flag),
  SourceDomain: optional(text({ max: 80 })),
})

const manual = record({
  LoadBalancerId: text(),
  SourceListenerId: text(),
  TargetListenerId: text(),
  RewriteInfos: list(rewriteInfo, 1, 50),
})

type Manual = Of<typeof manual>

const rewriteManually = (state: State, request: Manual, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const source = layer7Of(loadBalancer, request.SourceListenerId)
  const target = layer7Of(loadBalancer, request.TargetListenerId)
  const rewrites = new Map<string, Rewrite>()
  for (const info of request.RewriteInfos) {
    const from = ruleById(source, info.SourceLocationId)
    const to = ruleById(target, info.TargetLocationId)
    if (from.id === to.id) throw new CloudError('InvalidParameter', `Location ${from.id} cannot be rewritten to itself.`)
    if (from.rewrite !== undefined)
      throw new CloudError(
        'InvalidParameter.RewriteAlreadyExist',
        `Location ${from.id} has a rewrite to ${from.rewrite.locationId}.`,
      )
    if (to.rewrite !== undefined) throw new CloudError('InvalidParameter', `Location ${to.id} is rewritten itself.`)
    if (from.targets.length > 0)
      throw new CloudError('FailedOperation', `Location ${from.id} has targets; deregister them first.`)
    rewrites.set(from.id, {
      listenerId: target.id,
      locationId: to.id,
      code: codeOf(info.RewriteCode),
      takeUrl: info.TakeUrl ?? true,
      isAuto: false,
    })
  }
  return startTask(context, {
    action: 'ManualRewrite',
    outcome: { [loadBalancer.id]: withRewrites(loadBalancer, source, rewrites) },
  })
}

const codeOf = (given: number | undefined): Rewrite['code'] => (given === 301 || given === 307 ? given : DEFAULT_CODE)

const withRewrites = (loadBalancer: LoadBalancer, source: Listener, rewrites: ReadonlyMap<string, Rewrite>): LoadBalancer => {
  const rules = source.rules.map((rule) => {
    const rewrite = rewrites.get(rule.id)
    return rewrite === undefined ? rule : { ...rule, rewrite }
  })
  return { ...loadBalancer, listeners: loadBalancer.listeners.map((one) => (one.id === source.id ? { ...source, rules } : one)) }
}

const auto = record({
  LoadBalancerId: text(),
  ListenerId: text(),
  Domains: optional(list(text({ max: 80 }), 0, 50)),
  RewriteCodes: optional(list(code, 0, 50)),
  TakeUrls: optional(list(flag, 0, 50)),
})

/** Each rule of the HTTPS listener at 443 gets a twin at HTTP 80 that redirects to it; the listener and the rules are made when they are not there. */
const rewriteAutomatically = (state: State, request: Of<typeof auto>, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const https = layer7Of(loadBalancer, request.ListenerId)
  if (https.protocol !== 'HTTPS' || https.port !== 443)
    throw new CloudError('InvalidParameter.ProtocolCheckFailed', `Listener ${https.id} is not HTTPS at 443.`)
  const choice = choiceOf(request)
  const wanted = https.rules.filter(({ domains }) => choice(domains) !== undefined)
  const held = loadBalancer.listeners.find(({ port, protocol }) => port === 80 && protocol !== 'UDP' && protocol !== 'QUIC')
  if (held !== undefined && held.protocol !== 'HTTP')
    throw new CloudError('InvalidParameter.PortCheckFailed', `The port 80 is used by listener ${held.id} (${held.protocol}).`)
  const http = held ?? plainTwin(https, context)
  const twins = new Map(wanted.map((rule) => [rule.id, http.rules.find((one) => isTwin(one, rule)) ?? newTwin(rule, context)]))
  const redirected = wanted.map((rule) =>
    redirectTo(https, rule, { twin: twins.get(rule.id), choice: choice(rule.domains) ?? {} }),
  )
  const ids = new Set(redirected.map(({ id }) => id))
  const after: Listener = { ...http, rules: [...http.rules.filter(({ id }) => !ids.has(id)), ...redirected] }
  const listeners =
    held === undefined
      ? [...loadBalancer.listeners, after]
      : loadBalancer.listeners.map((one) => (one.id === held.id ? after : one))
  return startTask(context, { action: 'AutoRewrite', outcome: { [loadBalancer.id]: { ...loadBalancer, listeners } } })
}

interface Choice {
  readonly code?: number | undefined
  readonly takeUrl?: boolean | undefined
}

const choiceOf = ({ Domains, RewriteCodes, TakeUrls }: Of<typeof auto>): ((domains: readonly string[]) => Choice | undefined) => {
  const domains = Domains?.map((domain) => domain.toLowerCase()) ?? []
  for (const given of [RewriteCodes, TakeUrls])
    if (given !== undefined && given.length > 0 && given.length !== domains.length)
      throw badLength('RewriteCodes', 'RewriteCodes and TakeUrls have one entry for each of Domains')
  return (names) => {
    if (domains.length === 0) return {}
    const index = domains.findIndex((domain) => names.includes(domain))
    return index < 0 ? undefined : { code: RewriteCodes?.[index], takeUrl: TakeUrls?.[index] }
  }
}

const isTwin = (one: Rule, rule: Rule): boolean =>
  one.url === rule.url && one.domains.some((domain) => rule.domains.includes(domain))

const plainTwin = ({ certificate: _, ...https }: Listener, context: Context): Listener => {
  const id = context.newId('lbl')
  return { ...https, id, name: id, protocol: 'HTTP', port: 80, createdAt: context.now, sniSwitch: false, rules: [] }
}

const newTwin = ({ certificate: _, ...rule }: Rule, context: Context): Rule => ({
  ...rule,
  id: context.newId('loc'),
  createdAt: context.now,
  http2: false,
  targets: [],
})

const redirectTo = (
  https: Listener,
  rule: Rule,
  { twin, choice }: { readonly twin: Rule | undefined; readonly choice: Choice },
): Rule => {
  if (twin === undefined) throw new Error('every rule has a twin')
  if (twin.rewrite !== undefined && twin.rewrite.locationId !== rule.id)
    throw new CloudError(
      'InvalidParameter.RewriteAlreadyExist',
      `Location ${twin.id} has a rewrite to ${twin.rewrite.locationId}.`,
    )
  if (twin.targets.length > 0) throw new CloudError('FailedOperation', `Location ${twin.id} has targets; deregister them first.`)
  return {
    ...twin,
    rewrite: {
      listenerId: https.id,
      locationId: rule.id,
      code: codeOf(choice.code),
      takeUrl: choice.takeUrl ?? true,
      isAuto: true,
    },
  }
}

const remove = (state: State, request: Manual, context: Context): Outcome => {
  const loadBalancer = unlocked(state, request.LoadBalancerId)
  const source = layer7Of(loadBalancer, request.SourceListenerId)
  listenerOf(loadBalancer, request.TargetListenerId)
  const gone = new Set<string>()
  for (const { SourceLocationId, TargetLocationId } of request.RewriteInfos) {
    const rule = ruleById(source, SourceLocationId)
    if (rule.rewrite?.locationId !== TargetLocationId)
      throw new CloudError('InvalidParameter.SomeRewriteNotFound', `Location ${rule.id} has no rewrite to ${TargetLocationId}.`)
    gone.add(rule.id)
  }
  const rules = source.rules.map((rule) => (gone.has(rule.id) ? withoutRewrite(rule) : rule))
  const listeners = loadBalancer.listeners.map((one) => (one.id === source.id ? { ...source, rules } : one))
  return startTask(context, { action: 'DeleteRewrite', outcome: { [loadBalancer.id]: { ...loadBalancer, listeners } } })
}

const withoutRewrite = ({ rewrite: _, ...rule }: Rule): Rule => rule

const description = record({
  LoadBalancerId: text(),
  SourceListenerIds: optional(list(text(), 0, 100)),
  SourceLocationIds: optional(list(text(), 0, 100)),
})

const describe = (state: State, request: Of<typeof description>): Outcome => {
  const { listeners } = existing(state, request.LoadBalancerId)
  const { SourceListenerIds: listenerIds, SourceLocationIds: locationIds } = request
  const rules = listeners
    .filter(({ id }) => listenerIds === undefined || listenerIds.length === 0 || listenerIds.includes(id))
    .flatMap((listener) =>
      listener.rules
        .filter(
          ({ id, rewrite }) =>
            rewrite !== undefined && (locationIds === undefined || locationIds.length === 0 || locationIds.includes(id)),
        )
        .map((rule) => describeRule(listener, rule)),
    )
  return answer({ RewriteSet: rules })
}

export const rewriteActions: Readonly<Record<string, Action>> = {
  AutoRewrite: action(auto, rewriteAutomatically),
  ManualRewrite: action(manual, rewriteManually),
  DeleteRewrite: action(manual, remove),
  DescribeRewrite: action(description, describe),
}
