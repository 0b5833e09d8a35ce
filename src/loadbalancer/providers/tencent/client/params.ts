import { defined, type Json } from './json.ts'
import type { GroupSettings, HealthCheck, PlacedTarget } from './model.ts'

/** The settings as the API takes them. */
export const settingsParams = ({ scheduler, sessionSeconds, forwardType, healthCheck }: GroupSettings): Json =>
  defined({
    Scheduler: scheduler,
    SessionExpireTime: sessionSeconds,
    ForwardType: forwardType,
    HealthCheck: healthCheck === undefined ? undefined : healthCheckParams(healthCheck),
  })

const healthCheckParams = (check: HealthCheck): Json =>
  defined({
    HealthSwitch: check.isOn === undefined ? undefined : Number(check.isOn),
    IntervalTime: check.intervalSeconds,
    TimeOut: check.timeoutSeconds,
    HealthNum: check.healthyAfter,
    UnHealthNum: check.unhealthyAfter,
    CheckType: check.type,
    CheckPort: check.port,
    HttpCheckPath: check.path,
    HttpCheckDomain: check.domain,
    HttpCheckMethod: check.method,
    HttpVersion: check.httpVersion,
    HttpCode: check.codes,
    SourceIpType: check.sourceIpType,
  })

/** One certificate, or two of different algorithms; the API knows them by id. */
export const certificateParams = (ids: readonly string[]): Json => {
  if (ids.length === 0) return {}
  if (ids.length === 1) return { Certificate: { SSLMode: 'UNIDIRECTIONAL', CertId: ids[0] } }
  return { MultiCertInfo: { SSLMode: 'UNIDIRECTIONAL', CertList: ids.map((CertId) => ({ CertId })) } }
}

/** Which target, as every action names it. */
export const targetParams = ({ kind, id, port }: Pick<PlacedTarget, 'kind' | 'id' | 'port'>): Json =>
  kind === 'instance' ? { InstanceId: id, Port: port } : { EniIp: id, Port: port }

export const placeParams = ({ listenerId, locationId }: Pick<PlacedTarget, 'listenerId' | 'locationId'>): Json =>
  defined({ ListenerId: listenerId, LocationId: locationId })

export const tagParams = (tags: Readonly<Record<string, string>>): readonly Json[] =>
  Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }))

export const chunks = <T>(all: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
