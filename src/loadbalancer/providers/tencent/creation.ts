import type { DesiredLoadBalancer, Owner } from '../../provider.ts'
import type { Settings } from './annotations/index.ts'
import { creationTags } from './marks.ts'

/** What CreateLoadBalancer is called with. */
export type CreationParams = Readonly<Record<string, unknown>> & { readonly ClientToken: string }

export interface CreationInput {
  readonly desired: Pick<DesiredLoadBalancer, 'token' | 'clusterId'>
  readonly owner: Pick<Owner, 'uid' | 'namespace' | 'name' | 'loadBalancerIP' | 'ipFamilies'>
  readonly settings: Settings
  readonly vpcId: string | undefined
}

/** Pure: the load balancer that a Service gets when it is made. */
export const creationParams = ({ desired, owner, settings, vpcId }: CreationInput): CreationParams => {
  const { subnetId, extensive = {} } = settings
  const isInternal = subnetId !== undefined
  return {
    LoadBalancerType: isInternal ? 'INTERNAL' : 'OPEN',
    Forward: 1,
    LoadBalancerName: nameOf(desired.clusterId, owner),
    ...(vpcId === undefined ? {} : { VpcId: vpcId }),
    ...(isInternal ? { SubnetId: subnetId } : internetOf(settings)),
    ...(owner.loadBalancerIP === undefined ? {} : { Vip: owner.loadBalancerIP }),
    ...(settings.passToTarget === undefined ? {} : { LoadBalancerPassToTarget: settings.passToTarget }),
    ...extensive,
    Number: 1,
    Tags: Object.entries(creationTags({ ...desired, uid: owner.uid })).map(([TagKey, TagValue]) => ({ TagKey, TagValue })),
    ClientToken: desired.token.slice(0, 64),
  }
}

const MAX_NAME = 60

const nameOf = (clusterId: string, { namespace, name }: CreationInput['owner']): string =>
  `${clusterId}_${namespace}_${name}`.slice(0, MAX_NAME)

const internetOf = ({ chargeType, oldChargeType, bandwidth, oldBandwidth }: Settings): object => {
  const InternetChargeType = chargeType ?? oldChargeType
  const InternetMaxBandwidthOut = bandwidth ?? oldBandwidth
  if (InternetChargeType === undefined && InternetMaxBandwidthOut === undefined) return {}
  return {
    InternetAccessible: {
      ...(InternetChargeType && { InternetChargeType }),
      ...(InternetMaxBandwidthOut && { InternetMaxBandwidthOut }),
    },
  }
}

/** Of two creations of one load balancer, what a user would have to make anew for: names of fields that differ. */
export const differences = (made: Readonly<Record<string, unknown>>, wanted: CreationParams): readonly string[] => {
  const names = new Set([...Object.keys(made), ...Object.keys(wanted)])
  // A pass-to-target that changes is honoured on what is there; the others say nothing of what the user wants.
  for (const name of ['ClientToken', 'Tags', 'LoadBalancerPassToTarget', 'VpcId', 'Number', 'Forward']) names.delete(name)
  return [...names].filter((name) => JSON.stringify(made[name]) !== JSON.stringify(wanted[name])).sort()
}
