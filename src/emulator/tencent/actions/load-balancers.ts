import { badValue, CloudError, missing, overQuota, unsupported } from '../errors.ts'
import { vpcOfSubnet } from '../inventory.ts'
import { type LoadBalancer, targetCount } from '../model.ts'
import { flag, list, numberOf, type Of, oneOf, optional, record, text, whole } from '../shape.ts'
import type { Event, State } from '../state.ts'
import { type Action, action, type Context, doneAtOnce, notModelled, type Outcome, startTask, unlocked } from './action.ts'
import { tagList, toTags } from './tag-list.ts'

const internetAccessible = record({
  InternetChargeType: optional(oneOf('TRAFFIC_POSTPAID_BY_HOUR', 'BANDWIDTH_POSTPAID_BY_HOUR', 'BANDWIDTH_PACKAGE')),
  InternetMaxBandwidthOut: optional(whole(0, 2048)),
  BandwidthpkgSubType: optional(text()),
})

const zone = optional(text({ max: 64 }))

const creation = record({
  LoadBalancerType: oneOf('OPEN', 'INTERNAL'),
  Forward: optional(numberOf(0, 1)),
  LoadBalancerName: optional(text({ max: 80 })),
  VpcId: optional(text({ pattern: /^(vpc-[a-z0-9-]+|\d+)$/ })),
  SubnetId: optional(text({ pattern: /^subnet-[a-z0-9-]+$/ })),
  ProjectId: optional(whole(0, 2 ** 31)),
  AddressIPVersion: optional(oneOf('IPV4', 'IPV6', 'IPv6FullChain', 'IPV6FullChain')),
  Number: optional(whole(1, 20)),
  MasterZoneId: zone,
  ZoneId: zone,
  SlaveZoneId: zone,
  InternetAccessible: optional(internetAccessible),
  VipIsp: optional(oneOf('BGP', 'CMCC', 'CTCC', 'CUCC')),
  Tags: optional(tagList(20)),
  Vip: optional(text({ max: 40 })),
  BandwidthPackageId: notModelled,
  ExclusiveCluster: notModelled,
  SlaType: optional(text({ max: 40 })),
  ClusterIds: notModelled,
  ClientToken: optional(text({ max: 64, pattern: /^[\x20-\x7e]+$/ })),
  SnatPro: optional(flag),
  SnatIps: notModelled,
  ClusterTag: notModelled,
  EipAddressId: notModelled,
  LoadBalancerPassToTarget: optional(flag),
  DynamicVip: optional(flag),
  Egress: notModelled,
  LBChargePrepaid: optional(record({ RenewFlag: optional(text()), Period: optional(whole(1, 36)) })),
  LBChargeType: optional(oneOf('POSTPAID_BY_HOUR', 'PREPAID')),
  AccessLogTopicId: notModelled,
  AdvancedRoute: notModelled,
  AvailableZoneAffinityInfo: notModelled,
})

type Creation = Of<typeof creation>

const create = (state: State, request: Creation, context: Context): Outcome => {
  const { ClientToken: token, ...rest } = request
  const fingerprint = JSON.stringify(rest)
  const used = token === undefined ? undefined : state.tokens.get(token)
  if (used !== undefined) {
    if (used.request !== fingerprint) throw badValue('ClientToken', 'it was used with other parameters')
    return { response: { LoadBalancerIds: used.loadBalancerIds, DealName: used.dealName }, events: [] }
  }
  check(request)
  const count = request.Number ?? 1
  checkQuota(state, request.LoadBalancerType, count, context)
  const made = newOnes(state, request, context, count)
  const ids = made.map(({ id }) => id)
  const dealName = context.newId('deal')
  const tags = toTags(request.Tags ?? [])
  const events: Event[] = made.flatMap((one) => [
    { loadBalancer: one.id, to: one },
    { tags: one.id, to: tags },
  ])
  if (token !== undefined)
    events.push(
      { token, to: { request: fingerprint, loadBalancerIds: ids, dealName, usedAt: context.now } },
      ...expired(state, context.now),
    )
  return startTask(context, {
    action: 'CreateLoadBalancer',
    outcome: Object.fromEntries(made.map((one) => [one.id, { ...one, isReady: true }])),
    dealName,
    events,
    response: { LoadBalancerIds: ids, DealName: dealName },
  })
}

const DAY_MS = 86_400_000

const expired = (state: State, now: number): readonly Event[] =>
  [...state.tokens].filter(([, { usedAt }]) => now - usedAt > DAY_MS).map(([token]) => ({ token, to: null }))

const check = (request: Creation): void => {
  if (request.Forward === 0) throw unsupported('Classic load balancers (Forward=0) are not sold any more.')
  if ((request.AddressIPVersion ?? 'IPV4') !== 'IPV4') throw unsupported('The emulator has IPv4 load balancers only.')
  if (request.LoadBalancerType === 'INTERNAL') {
    if (request.SubnetId === undefined) throw missing('SubnetId')
    if (request.InternetAccessible !== undefined)
      throw new CloudError('InvalidParameter', '`InternetAccessible` is for load balancers of type OPEN.')
    if (request.DynamicVip === true) throw new CloudError('InvalidParameter', '`DynamicVip` is for load balancers of type OPEN.')
  }
  if (request.Vip !== undefined && (request.Number ?? 1) > 1) throw badValue('Vip', 'one address is for one load balancer')
  if (request.LBChargeType === 'PREPAID' && request.LBChargePrepaid === undefined) throw missing('LBChargePrepaid')
}

const checkQuota = (state: State, type: 'OPEN' | 'INTERNAL', count: number, { quotas }: Context): void => {
  const name = type === 'OPEN' ? 'TOTAL_OPEN_CLB_QUOTA' : 'TOTAL_INTERNAL_CLB_QUOTA'
  const have = [...state.loadBalancers.values()].filter((one) => one.type === type).length
  if (have + count > quotas[name]) throw overQuota(`The quota ${name} of ${quotas[name]} is used up (${have} in use).`)
}

const newOnes = (state: State, request: Creation, context: Context, count: number): readonly LoadBalancer[] => {
  const subnetVpc = request.SubnetId === undefined ? undefined : vpcOfSubnet(context.inventory, request.SubnetId)
  if (request.SubnetId !== undefined && subnetVpc === undefined)
    throw new CloudError('InvalidParameter', `The subnet ${request.SubnetId} does not exist.`)
  const vpcId = request.VpcId ?? subnetVpc ?? context.inventory.vpcId
  if (subnetVpc !== undefined && subnetVpc !== vpcId)
    throw new CloudError('InvalidParameter', `The subnet ${request.SubnetId} is not in ${vpcId}.`)
  const taken = new Set([...state.loadBalancers.values()].map(({ vip }) => vip))
  const made: LoadBalancer[] = []
  for (let index = 0; index < count; index++) {
    const vip = context.freeVip(taken, request.Vip)
    if (vip === undefined)
      throw new CloudError(
        'ResourceInsufficient',
        request.Vip ? `The address ${request.Vip} is not free.` : 'No address is free.',
      )
    taken.add(vip)
    made.push(newOne(request, context, { vip, vpcId, index }))
  }
  return made
}

const newOne = (
  request: Creation,
  context: Context,
  { vip, vpcId, index }: { readonly vip: string; readonly vpcId: string; readonly index: number },
): LoadBalancer => {
  const id = context.newId('lb')
  const isPublic = request.LoadBalancerType === 'OPEN'
  const hasName = isPublic && (request.DynamicVip ?? context.isDomainType)
  const name = request.LoadBalancerName ?? id
  return {
    id,
    name: index === 0 ? name : `${name}-${index}`,
    type: request.LoadBalancerType,
    isReady: false,
    createdAt: context.now,
    vpcId,
    projectId: request.ProjectId ?? 0,
    vip,
    chargeType: request.LBChargeType ?? 'POSTPAID_BY_HOUR',
    zone: request.MasterZoneId ?? request.ZoneId ?? context.inventory.zone,
    passToTarget: request.LoadBalancerPassToTarget ?? false,
    snatPro: request.SnatPro ?? false,
    deleteProtect: false,
    securityGroups: [],
    listeners: [],
    ...(request.SubnetId !== undefined && { subnetId: request.SubnetId }),
    ...(request.VipIsp !== undefined && { vipIsp: request.VipIsp }),
    ...(request.SlaType !== undefined && { slaType: request.SlaType }),
    ...(hasName && { domain: `${id}.${context.region}.clb.emulator.test` }),
    ...(isPublic && { internet: internetOf(request.InternetAccessible) }),
  }
}

const internetOf = (given: Of<typeof internetAccessible> = {}, before?: LoadBalancer['internet']) => ({
  chargeType: given.InternetChargeType ?? before?.chargeType ?? 'TRAFFIC_POSTPAID_BY_HOUR',
  maxBandwidthOut: given.InternetMaxBandwidthOut ?? before?.maxBandwidthOut ?? 10,
})

const deletion = record({ LoadBalancerIds: list(text(), 1, 20), ForceDelete: optional(flag) })
const FIVE_MINUTES_MS = 300_000
const MANY_TARGETS = 20

const remove = (state: State, { LoadBalancerIds: ids, ForceDelete }: Of<typeof deletion>, context: Context): Outcome => {
  const ones = [...new Set(ids)].map((id) => unlocked(state, id))
  for (const one of ones) checkDeletable(one, ForceDelete === true)
  const lately = state.deletions.filter((at) => at > context.now - FIVE_MINUTES_MS)
  const limit = context.quotas.DELETIONS_IN_5_MINUTES
  if (ForceDelete !== true && lately.length + ones.length > limit)
    throw new CloudError('FailedOperation', `At most ${limit} load balancers may be deleted in 5 minutes without ForceDelete.`)
  return startTask(context, {
    action: 'DeleteLoadBalancer',
    outcome: Object.fromEntries(ones.map(({ id }) => [id, null])),
    events: [{ deletions: [...lately, ...ones.map(() => context.now)].slice(-1_000) }],
  })
}

const checkDeletable = (one: LoadBalancer, isForced: boolean): void => {
  if (one.deleteProtect)
    throw new CloudError('FailedOperation', `LoadBalancer ${one.id} is protected from deletion (DeleteProtect).`)
  if (one.chargeType === 'PREPAID')
    throw new CloudError('FailedOperation', `LoadBalancer ${one.id} is prepaid and cannot be deleted.`)
  const targets = targetCount(one)
  if (!isForced && targets >= MANY_TARGETS)
    throw new CloudError('FailedOperation', `LoadBalancer ${one.id} has ${targets} targets; pass ForceDelete to delete it.`)
}

const modification = record({
  LoadBalancerId: text(),
  LoadBalancerName: optional(text({ max: 80 })),
  TargetRegionInfo: notModelled,
  InternetChargeInfo: optional(internetAccessible),
  LoadBalancerPassToTarget: optional(flag),
  SwitchFlag: notModelled,
  SnatPro: optional(flag),
  DeleteProtect: optional(flag),
  ModifyClassicDomain: notModelled,
  AssociateEndpoint: notModelled,
})

const modify = (state: State, request: Of<typeof modification>, context: Context): Outcome => {
  const before = unlocked(state, request.LoadBalancerId)
  if (request.InternetChargeInfo !== undefined && before.type === 'INTERNAL')
    throw new CloudError('InvalidParameter', '`InternetChargeInfo` is for load balancers of type OPEN.')
  const after: LoadBalancer = {
    ...before,
    name: request.LoadBalancerName ?? before.name,
    passToTarget: request.LoadBalancerPassToTarget ?? before.passToTarget,
    snatPro: request.SnatPro ?? before.snatPro,
    deleteProtect: request.DeleteProtect ?? before.deleteProtect,
    ...(request.InternetChargeInfo !== undefined && { internet: internetOf(request.InternetChargeInfo, before.internet) }),
  }
  const dealName = context.newId('deal')
  return startTask(context, {
    action: 'ModifyLoadBalancerAttributes',
    outcome: { [before.id]: after },
    dealName,
    response: { DealName: dealName },
  })
}

const securityGroups = record({
  LoadBalancerId: text(),
  SecurityGroups: optional(list(text({ pattern: /^sg-[a-z0-9]+$/ }), 0, 50)),
})

const setSecurityGroups = (state: State, request: Of<typeof securityGroups>, context: Context): Outcome => {
  const before = unlocked(state, request.LoadBalancerId)
  const after = { ...before, securityGroups: [...new Set(request.SecurityGroups ?? [])] }
  return doneAtOnce(context, {
    action: 'SetLoadBalancerSecurityGroups',
    loadBalancerIds: [before.id],
    events: [{ loadBalancer: before.id, to: after }],
  })
}

export const loadBalancerActions: Readonly<Record<string, Action>> = {
  CreateLoadBalancer: action(creation, create),
  DeleteLoadBalancer: action(deletion, remove),
  ModifyLoadBalancerAttributes: action(modification, modify),
  SetLoadBalancerSecurityGroups: action(securityGroups, setSecurityGroups),
}
