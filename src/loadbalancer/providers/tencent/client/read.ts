import { defined, type Json, numberIn, recordIn, recordsIn, textIn, textsIn } from './json.ts'
import {
  type GroupSettings,
  type HealthCheck,
  type ListenerInfo,
  type LoadBalancerInfo,
  PROTOCOLS,
  type RuleInfo,
  type TargetInfo,
} from './model.ts'

/** Undefined when it has no id. */
export const readLoadBalancer = (json: Json): LoadBalancerInfo | undefined => {
  const id = textIn(json, 'LoadBalancerId')
  if (id === undefined) return undefined
  return {
    id,
    name: textIn(json, 'LoadBalancerName') ?? '',
    type: textIn(json, 'LoadBalancerType') === 'INTERNAL' ? 'INTERNAL' : 'OPEN',
    isReady: numberIn(json, 'Status') === 1,
    isClassic: numberIn(json, 'Forward') === 0,
    vips: textsIn(json, 'LoadBalancerVips'),
    ipv6: textIn(json, 'AddressIPv6'),
    domain: textIn(json, 'LoadBalancerDomain') ?? textIn(json, 'Domain'),
    vpcId: textIn(json, 'VpcId'),
    subnetId: textIn(json, 'SubnetId'),
    tags: Object.fromEntries(recordsIn(json, 'Tags').map((tag) => [textIn(tag, 'TagKey') ?? '', textIn(tag, 'TagValue') ?? ''])),
    securityGroups: textsIn(json, 'SecureGroups'),
    passToTarget: json['LoadBalancerPassToTarget'] === true,
    bandwidth: numberIn(recordIn(json, 'NetworkAttributes'), 'InternetMaxBandwidthOut'),
    isProtected: textsIn(json, 'AttributeFlags').includes('DeleteProtect'),
    isPrepaid: textIn(json, 'ChargeType') === 'PREPAID',
    hasEndpoint: textIn(json, 'AssociateEndpoint') !== undefined,
    targetCount: numberIn(json, 'TargetCount') ?? 0,
  }
}

export interface TargetsOfListener {
  readonly targets: readonly TargetInfo[]
  /** By the rule's id. */
  readonly byRule: ReadonlyMap<string, readonly TargetInfo[]>
}

/** By the listener's id, from the answer to DescribeTargets. */
export const readTargets = (response: Json): ReadonlyMap<string, TargetsOfListener> =>
  new Map(
    recordsIn(response, 'Listeners').map((listener) => [
      textIn(listener, 'ListenerId') ?? '',
      {
        targets: recordsIn(listener, 'Targets').map(readTarget),
        byRule: new Map(
          recordsIn(listener, 'Rules').map((rule) => [
            textIn(rule, 'LocationId') ?? '',
            recordsIn(rule, 'Targets').map(readTarget),
          ]),
        ),
      },
    ]),
  )

const readTarget = (json: Json): TargetInfo => {
  const instance = textIn(json, 'Type') === 'CVM' ? textIn(json, 'InstanceId') : undefined
  const address = textsIn(json, 'PrivateIpAddresses')[0] ?? ''
  const where = { address, port: numberIn(json, 'Port') ?? 0, weight: numberIn(json, 'Weight') ?? 0 }
  return instance === undefined ? { kind: 'address', id: address, ...where } : { kind: 'instance', id: instance, ...where }
}

/** Undefined for a protocol that is not known here. */
export const readListener = (json: Json, targets: TargetsOfListener | undefined): ListenerInfo | undefined => {
  const id = textIn(json, 'ListenerId')
  const protocol = PROTOCOLS.find((each) => each === json['Protocol'])
  if (id === undefined || protocol === undefined) return undefined
  return {
    id,
    name: textIn(json, 'ListenerName') ?? '',
    protocol,
    port: numberIn(json, 'Port') ?? 0,
    isSni: numberIn(json, 'SniSwitch') === 1,
    certificates: readCertificates(json),
    settings: readSettings(json),
    rules: recordsIn(json, 'Rules').map((rule) => readRule(rule, targets)),
    targets: targets?.targets ?? [],
  }
}

const readRule = (json: Json, targets: TargetsOfListener | undefined): RuleInfo => {
  const id = textIn(json, 'LocationId') ?? ''
  return {
    id,
    domain: textIn(json, 'Domain') ?? '',
    url: textIn(json, 'Url') ?? '',
    certificates: readCertificates(json),
    settings: readSettings(json),
    targets: targets?.byRule.get(id) ?? [],
  }
}

const readCertificates = (json: Json): readonly string[] => {
  const certificate = recordIn(json, 'Certificate')
  const first = textIn(certificate, 'CertId')
  return first === undefined ? [] : [first, ...textsIn(certificate, 'ExtCertIds')]
}

const readSettings = (json: Json): GroupSettings => {
  const check = recordIn(json, 'HealthCheck')
  return defined({
    scheduler: textIn(json, 'Scheduler'),
    sessionSeconds: numberIn(json, 'SessionExpireTime'),
    forwardType: textIn(json, 'ForwardType'),
    healthCheck: Object.keys(check).length === 0 ? undefined : readHealthCheck(check),
  })
}

const readHealthCheck = (json: Json): HealthCheck => {
  const isOn = numberIn(json, 'HealthSwitch')
  return defined({
    isOn: isOn === undefined ? undefined : isOn === 1,
    intervalSeconds: numberIn(json, 'IntervalTime'),
    timeoutSeconds: numberIn(json, 'TimeOut'),
    healthyAfter: numberIn(json, 'HealthNum'),
    unhealthyAfter: numberIn(json, 'UnHealthNum'),
    type: textIn(json, 'CheckType'),
    port: numberIn(json, 'CheckPort'),
    path: textIn(json, 'HttpCheckPath'),
    domain: textIn(json, 'HttpCheckDomain'),
    method: textIn(json, 'HttpCheckMethod'),
    httpVersion: textIn(json, 'HttpVersion'),
    codes: numberIn(json, 'HttpCode'),
    sourceIpType: numberIn(json, 'SourceIpType'),
  })
}
