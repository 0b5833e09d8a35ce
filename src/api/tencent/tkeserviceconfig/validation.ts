import type { Problem } from '../../kind.ts'
import { portNumberErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { TKE_CHECK_TYPES, TKE_SCHEDULERS, type TkeHealthCheck, type TkeServiceConfig, type TkeSession } from './schema.ts'

/** All problems of a TkeServiceConfig, with the ranges of the cloud's documentation. */
export const validateTkeServiceConfig = ({ spec }: TkeServiceConfig): readonly Problem[] => {
  const problems = new Problems()
  const at = 'spec.loadBalancer'
  const { internetMaxBandwidthOut, l4Listeners = [], l7Listeners = [] } = spec.loadBalancer ?? {}
  range(problems, `${at}.internetMaxBandwidthOut`, internetMaxBandwidthOut, [0, 2_048])
  l4Listeners.forEach((listener, index) => {
    const path = `${at}.l4Listeners[${index}]`
    validateMatch(problems, path, listener, ['TCP', 'UDP', 'TCP_SSL', 'QUIC'])
    validateGroup(problems, path, listener, 3_600)
  })
  l7Listeners.forEach((listener, index) => {
    const path = `${at}.l7Listeners[${index}]`
    validateMatch(problems, path, listener, ['HTTP', 'HTTPS'])
    for (const [number, domain] of (listener.domains ?? []).entries())
      validateDomain(problems, `${path}.domains[${number}]`, domain)
  })
  unique(problems, `${at}.l4Listeners`, l4Listeners)
  unique(problems, `${at}.l7Listeners`, l7Listeners)
  return problems.list
}

interface Match {
  readonly protocol?: string
  readonly port?: number
}

const validateMatch = (problems: Problems, path: string, { protocol, port }: Match, protocols: readonly string[]): void => {
  problems.checkOneOf(`${path}.protocol`, protocol, protocols)
  if (port === undefined) problems.required(`${path}.port`)
  else problems.invalidEach(`${path}.port`, port, portNumberErrors(port))
}

const unique = (problems: Problems, path: string, listeners: readonly Match[]): void => {
  const seen = new Set<string>()
  listeners.forEach(({ protocol, port }, index) => {
    const name = `${protocol} ${port}`
    if (seen.has(name)) problems.duplicate(`${path}[${index}]`, name)
    seen.add(name)
  })
}

type Domain = NonNullable<
  NonNullable<NonNullable<TkeServiceConfig['spec']['loadBalancer']>['l7Listeners']>[number]['domains']
>[number]

const validateDomain = (problems: Problems, path: string, { domain = '', rules = [] }: Domain): void => {
  rules.forEach((rule, index) => {
    const at = `${path}.rules[${index}]`
    if (rule.url !== undefined && !/^\/[!-~]{0,199}$/.test(rule.url)) problems.invalid(`${at}.url`, rule.url, 'must be a path')
    if (rule.forwardType !== undefined) problems.checkOneOf(`${at}.forwardType`, rule.forwardType, ['HTTP', 'HTTPS', 'GRPC'])
    validateGroup(problems, at, rule, 86_400)
    const isChecked = rule.healthCheck !== undefined && rule.healthCheck.enable !== false
    if (isChecked && domain.includes('*') && rule.healthCheck?.httpCheckDomain === undefined)
      problems.required(`${at}.healthCheck.httpCheckDomain`, 'a wildcard domain cannot be asked for')
  })
}

interface Group {
  readonly scheduler?: string
  readonly session?: TkeSession
  readonly healthCheck?: TkeHealthCheck
}

const validateGroup = (
  problems: Problems,
  path: string,
  { scheduler, session, healthCheck }: Group,
  maxSession: number,
): void => {
  if (scheduler !== undefined) problems.checkOneOf(`${path}.scheduler`, scheduler, TKE_SCHEDULERS)
  range(problems, `${path}.session.sessionExpireTime`, session?.sessionExpireTime, [30, maxSession])
  if (session?.enable === true && session.sessionExpireTime === undefined) problems.required(`${path}.session.sessionExpireTime`)
  if (healthCheck !== undefined) validateHealthCheck(problems, `${path}.healthCheck`, healthCheck)
}

const validateHealthCheck = (problems: Problems, path: string, check: TkeHealthCheck): void => {
  range(problems, `${path}.intervalTime`, check.intervalTime, [2, 300])
  range(problems, `${path}.timeout`, check.timeout, [2, 60])
  range(problems, `${path}.healthNum`, check.healthNum, [2, 10])
  range(problems, `${path}.unHealthNum`, check.unHealthNum, [2, 10])
  range(problems, `${path}.httpCode`, check.httpCode, [1, 31])
  range(problems, `${path}.checkPort`, check.checkPort, [-1, 65_535])
  range(problems, `${path}.sourceIpType`, check.sourceIpType, [0, 1])
  if (check.checkType !== undefined) problems.checkOneOf(`${path}.checkType`, check.checkType, TKE_CHECK_TYPES)
  if (check.timeout !== undefined && check.timeout > (check.intervalTime ?? 5))
    problems.invalid(`${path}.timeout`, check.timeout, 'must not be above intervalTime')
  if (check.httpCheckPath !== undefined && !/^\/[!-~]{0,199}$/.test(check.httpCheckPath))
    problems.invalid(`${path}.httpCheckPath`, check.httpCheckPath, 'must be a path')
}

const range = (problems: Problems, path: string, found: number | undefined, [min, max]: readonly [number, number]): void => {
  if (found !== undefined && (found < min || found > max)) problems.invalid(path, found, `must be from ${min} to ${max}`)
}
