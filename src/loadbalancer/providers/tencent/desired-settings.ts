import type { TkeHealthCheck, TkeServiceConfig, TkeSession } from '../../../api/index.ts'
import type { Owner } from '../../provider.ts'
import type { Settings } from './annotations/index.ts'
import type { GroupSettings, HealthCheck, ListenerProtocol } from './client/index.ts'

export interface SettingsInput {
  readonly owner: Pick<Owner, 'sessionAffinitySeconds'>
  readonly settings: Settings
  /** Undefined when none is named, or it is not known. */
  readonly config: TkeServiceConfig | undefined
  readonly protocol: ListenerProtocol
  readonly port: number
}

const MIN_SESSION = 30
const MAX_L4_SESSION = 3_600
const MAX_L7_SESSION = 86_400

/** Of a layer 4 listener: what the config declares, then what the Service says; the rest is left alone. */
export const listenerSettings = (input: SettingsInput): GroupSettings => {
  const { config, protocol, port } = input
  const declared = config?.spec.loadBalancer?.l4Listeners?.find((each) => each.protocol === protocol && each.port === port)
  return groupSettings(input, declared, MAX_L4_SESSION)
}

/** Of a rule; the empty domain of a config stands for the load balancer's own address. */
export const ruleSettings = (
  input: SettingsInput,
  rule: { readonly domain: string; readonly url: string; readonly isDefault: boolean },
): GroupSettings => {
  const { config, protocol, port } = input
  const listener = config?.spec.loadBalancer?.l7Listeners?.find((each) => each.protocol === protocol && each.port === port)
  const domain = listener?.domains?.find((each) => (each.domain ?? '') === (rule.isDefault ? '' : rule.domain))
  const declared = domain?.rules?.find(({ url = '/' }) => url === rule.url)
  const { forwardType } = declared ?? {}
  return { ...groupSettings(input, declared, MAX_L7_SESSION), ...(forwardType && { forwardType }) }
}

interface Declared {
  readonly scheduler?: string
  readonly session?: TkeSession
  readonly healthCheck?: TkeHealthCheck
}

const groupSettings = ({ owner, settings }: SettingsInput, declared: Declared | undefined, maxSession: number): GroupSettings => {
  const healthCheck = {
    ...(settings.preventLoopback === true ? { sourceIpType: 1 } : {}),
    ...(declared?.healthCheck && healthCheckOf(declared.healthCheck)),
  }
  return {
    sessionSeconds: sessionOf(owner, declared?.session, maxSession),
    ...(declared?.scheduler && { scheduler: declared.scheduler }),
    ...(Object.keys(healthCheck).length > 0 && { healthCheck }),
  }
}

/** The cloud keeps clients for 30 seconds at least, and for an hour at most. */
const sessionOf = (owner: SettingsInput['owner'], declared: TkeSession | undefined, max: number): number => {
  if (declared?.enable === false) return 0
  const seconds = declared?.enable === true ? (declared.sessionExpireTime ?? MIN_SESSION) : owner.sessionAffinitySeconds
  return seconds === undefined ? 0 : Math.min(Math.max(seconds, MIN_SESSION), max)
}

const healthCheckOf = (declared: TkeHealthCheck): HealthCheck => {
  const fields: HealthCheck = {
    isOn: declared.enable,
    intervalSeconds: declared.intervalTime,
    timeoutSeconds: declared.timeout,
    healthyAfter: declared.healthNum,
    unhealthyAfter: declared.unHealthNum,
    type: declared.checkType,
    port: declared.checkPort,
    path: declared.httpCheckPath,
    domain: declared.httpCheckDomain,
    method: declared.httpCheckMethod,
    httpVersion: declared.httpVersion,
    codes: declared.httpCode,
    sourceIpType: declared.sourceIpType,
  } as HealthCheck
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
