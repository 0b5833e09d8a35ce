import {
  type HealthCheck,
  isLayer7,
  type Listener,
  type ListenerCertificate,
  type LoadBalancer,
  type Rule,
  type Target,
  targetCount,
} from '../model.ts'
import { fromTags } from './tag-list.ts'

type Json = Readonly<Record<string, unknown>>

/** `2026-01-31 08:00:00`, Beijing's time, as the cloud writes it. */
const timeText = (at: number): string => new Date(at + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ')

export const describeLoadBalancer = (one: LoadBalancer, tags: Readonly<Record<string, string>> | undefined): Json => ({
  LoadBalancerId: one.id,
  LoadBalancerName: one.name,
  LoadBalancerType: one.type,
  Forward: 1,
  Domain: '',
  LoadBalancerDomain: one.domain ?? '',
  LoadBalancerVips: one.domain === undefined ? [one.vip] : [],
  Status: one.isReady ? 1 : 0,
  CreateTime: timeText(one.createdAt),
  StatusTime: timeText(one.createdAt),
  ProjectId: one.projectId,
  VpcId: one.vpcId,
  SubnetId: one.subnetId ?? '',
  OpenBgp: 0,
  Snat: false,
  Isolation: 0,
  Tags: fromTags(tags),
  SecureGroups: one.securityGroups,
  AddressIPVersion: 'ipv4',
  VipIsp: one.type === 'OPEN' ? (one.vipIsp ?? 'BGP') : '',
  MasterZone: { Zone: one.zone },
  ChargeType: one.chargeType === 'PREPAID' ? 'PREPAID' : 'POSTPAID_BY_HOUR',
  NetworkAttributes: one.internet && {
    InternetChargeType: one.internet.chargeType,
    InternetMaxBandwidthOut: one.internet.maxBandwidthOut,
  },
  LoadBalancerPassToTarget: one.passToTarget,
  SnatPro: one.snatPro,
  SnatIps: [],
  SlaType: one.slaType ?? '',
  AttributeFlags: one.deleteProtect ? ['DeleteProtect'] : [],
  TargetCount: targetCount(one),
  TargetRegionInfo: null,
})

export const describeListener = (listener: Listener): Json => ({
  ListenerId: listener.id,
  ListenerName: listener.name,
  Protocol: listener.protocol,
  Port: listener.port,
  EndPort: 0,
  CreateTime: timeText(listener.createdAt),
  Certificate: listener.certificate ? describeCertificate(listener.certificate) : null,
  SniSwitch: listener.sniSwitch ? 1 : 0,
  TargetType: 'NODE',
  KeepaliveEnable: listener.keepalive ? 1 : 0,
  DeregisterTargetRst: listener.deregisterTargetRst,
  AttrFlags: [
    ...(listener.deregisterTargetRst ? ['DeregisterTargetRst'] : []),
    ...(listener.rescheduleTargetZeroWeight ? ['RescheduleTargetZeroWeight'] : []),
  ],
  MaxConn: listener.maxConn ?? -1,
  MaxCps: listener.maxCps ?? -1,
  IdleConnectTimeout: listener.idleConnectTimeout ?? null,
  ...(isLayer7(listener.protocol)
    ? {
        HealthCheck: null,
        Scheduler: null,
        SessionExpireTime: 0,
        Rules: listener.rules.map((rule) => describeRule(listener, rule)),
      }
    : {
        HealthCheck: describeHealthCheck(listener.healthCheck),
        Scheduler: listener.scheduler,
        SessionExpireTime: listener.sessionExpireTime,
        SessionType: 'NORMAL',
        Rules: null,
      }),
})

export const describeRule = (listener: Listener, rule: Rule): Json => ({
  LocationId: rule.id,
  ListenerId: listener.id,
  Domain: rule.domains[0],
  Domains: rule.domains,
  Url: rule.url,
  CreateTime: timeText(rule.createdAt),
  SessionExpireTime: rule.sessionExpireTime,
  CookieName: rule.cookieName ?? null,
  HealthCheck: describeHealthCheck(rule.healthCheck),
  Certificate: rule.certificate ? describeCertificate(rule.certificate) : null,
  Scheduler: rule.scheduler,
  ForwardType: rule.forwardType,
  DefaultServer: rule.isDefault,
  Http2: rule.http2,
  TargetType: 'NODE',
  BeAutoCreated: rule.rewrite?.isAuto ?? false,
  RewriteTarget: rule.rewrite
    ? {
        TargetListenerId: rule.rewrite.listenerId,
        TargetLocationId: rule.rewrite.locationId,
        RewriteCode: rule.rewrite.code,
        TakeUrl: rule.rewrite.takeUrl,
        RewriteType: rule.rewrite.isAuto ? 'Auto' : 'Manual',
      }
    : { TargetListenerId: null, TargetLocationId: null, RewriteCode: null, TakeUrl: null, RewriteType: null },
})

const describeCertificate = ({ mode, ids, caId }: ListenerCertificate): Json => ({
  SSLMode: mode,
  CertId: ids[0],
  CertCaId: caId ?? '',
  ExtCertIds: ids.slice(1),
})

const describeHealthCheck = (check: HealthCheck): Json => ({
  HealthSwitch: check.isOn ? 1 : 0,
  TimeOut: check.timeout,
  IntervalTime: check.interval,
  HealthNum: check.healthyAfter,
  UnHealthNum: check.unhealthyAfter,
  CheckType: check.type,
  CheckPort: check.port ?? -1,
  HttpCode: check.codes,
  HttpCheckPath: check.path ?? null,
  HttpCheckDomain: check.domain ?? null,
  HttpCheckMethod: check.method ?? null,
  HttpVersion: check.httpVersion ?? null,
  ContextType: check.context?.type ?? null,
  SendContext: check.context?.send ?? null,
  RecvContext: check.context?.receive ?? null,
  SourceIpType: check.sourceIpType,
})

export const describeTarget = (target: Target): Json => ({
  Type: target.kind,
  InstanceId: target.kind === 'CVM' ? target.id : '',
  InstanceName: target.kind === 'CVM' ? target.id : '',
  EniId: '',
  Port: target.port,
  Weight: target.weight,
  PublicIpAddresses: [],
  PrivateIpAddresses: [target.address],
  RegisteredTime: timeText(target.registeredAt),
  Tag: target.tag ?? '',
})
