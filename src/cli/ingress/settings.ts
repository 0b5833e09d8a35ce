import { isIP, isIPv6 } from 'node:net'
import type { LogLevel } from '../../base/index.ts'
import type { AcmeServerFlags } from '../../ingress/index.ts'
import { parseCIDR } from '../../ip/index.ts'
import type { TelemetrySettings } from '../../l7/index.ts'

export interface Listen {
  readonly address: string
  readonly port: number
}

/** What `fairway ingress` was told, checked. Keys of objects are `namespace/name`. */
export interface IngressSettings {
  readonly kubeconfig: string | undefined
  readonly classNames: readonly string[] | undefined
  readonly controllerName: string | undefined
  readonly watchNamespace: string | undefined
  readonly publish:
    | { readonly kind: 'service'; readonly key: string }
    | { readonly kind: 'addresses'; readonly entries: readonly ({ readonly ip: string } | { readonly hostname: string })[] }
    | { readonly kind: 'nothing' }
  readonly clearStatusOnStop: boolean
  readonly election: { readonly name: string; readonly namespace: string | undefined }
  readonly http: Listen | undefined
  readonly https: Listen | undefined
  readonly httpsRedirectPort: number
  readonly workers: number | undefined
  readonly trustedProxies: readonly string[]
  readonly proxyProtocol: boolean
  readonly allowedTargets: readonly string[]
  readonly deniedTargets: readonly string[]
  readonly telemetry: TelemetrySettings
  readonly defaultCertificate: string | undefined
  readonly configMap: string | undefined
  readonly tcpServices: string | undefined
  readonly udpServices: string | undefined
  /** Undefined: nothing is asked of any server. */
  readonly acme: AcmeSettings | undefined
  readonly health: Listen | undefined
  readonly metrics: Listen | undefined
  readonly shutdownDelayMs: number
  readonly drainTimeoutMs: number
  readonly logLevel: LogLevel
  /** Of this pod, when it runs in one. */
  readonly podAddress: string | undefined
}

export interface AcmeSettings extends AcmeServerFlags {
  readonly namespace: string | undefined
}

export interface SettingsProblem {
  readonly flag: string
  readonly reason: string
}

/** What the user gave, by the option's name without dashes. */
export type GivenFlags = Readonly<Record<string, unknown>>

/** Reads the flags of `fairway ingress`; every problem at once. Pure. */
export const readSettings = (
  given: GivenFlags,
  env: Readonly<Record<string, string | undefined>>,
): { readonly settings: IngressSettings; readonly problems: readonly SettingsProblem[] } => {
  const problems: SettingsProblem[] = []
  const read = readerOf(given, problems)
  const agreesToTerms = read('--acme-agree-tos', bool) ?? false
  const httpsRedirectPort = read('--https-redirect-port', portNumber) ?? 443
  const settings: IngressSettings = {
    kubeconfig: read('--kubeconfig', text),
    classNames: read('--ingress-class', list(objectName)),
    controllerName: read('--controller-name', controllerName) ?? read('--controller-class', controllerName),
    watchNamespace: read('--watch-namespace', objectName),
    publish: publishOf(read('--publish-service', objectKey), read('--publish-status-address', list(statusEntry))),
    clearStatusOnStop: read('--update-status-on-shutdown', bool) ?? true,
    election: {
      name: read('--election-id', objectName) ?? 'fairway-ingress-leader',
      namespace: read('--election-namespace', objectName) ?? (env['POD_NAMESPACE'] || undefined),
    },
    http: listenOf(read('--http', listen), { address: '0.0.0.0', port: 80 }),
    https: listenOf(read('--https', listen), { address: '0.0.0.0', port: 443 }),
    httpsRedirectPort,
    workers: read('--workers', workerCount),
    trustedProxies: read('--trusted-proxies', list(cidr)) ?? [],
    proxyProtocol: read('--proxy-protocol', bool) ?? false,
    allowedTargets: read('--allowed-targets', list(cidr)) ?? [],
    deniedTargets: read('--denied-targets', list(cidr)) ?? [],
    telemetry: telemetryOf({
      path: read('--access-log', text),
      logSample: read('--access-log-sample', share),
      withQuery: read('--access-log-query', bool),
      endpoint: read('--otlp-endpoint', httpUrl),
      traceSample: read('--trace-sample', share),
    }),
    defaultCertificate: read('--default-ssl-certificate', objectKey),
    configMap: read('--configmap', objectKey),
    tcpServices: read('--tcp-services-configmap', objectKey),
    udpServices: read('--udp-services-configmap', objectKey),
    acme: acmeOf(read('--acme-server', httpsUrl), {
      email: read('--acme-email', email),
      caFile: read('--acme-ca', text),
      namespace: read('--acme-namespace', objectName),
    }),
    health: listenOf(read('--health', listen), { address: '0.0.0.0', port: 10_254 }),
    metrics: listenOf(read('--metrics', listen), { address: '127.0.0.1', port: 10_253 }),
    shutdownDelayMs: read('--shutdown-delay', duration) ?? 0,
    drainTimeoutMs: read('--drain-timeout', duration) ?? 30_000,
    logLevel: read('--log-level', logLevel) ?? 'info',
    podAddress: env['POD_IP'] || undefined,
  }
  return {
    settings,
    problems: [...problems, ...contradictions(given, settings), ...acmeContradictions(given, settings, agreesToTerms)],
  }
}

const contradictions = (
  given: GivenFlags,
  { http, https, proxyProtocol, trustedProxies, telemetry }: IngressSettings,
): readonly SettingsProblem[] => [
  ...(proxyProtocol && trustedProxies.length === 0
    ? [{ flag: '--proxy-protocol', reason: 'needs --trusted-proxies: nobody’s header would be believed' }]
    : []),
  ...(telemetry.accessLog === undefined && (given['accessLogSample'] !== undefined || given['accessLogQuery'] !== undefined)
    ? [{ flag: '--access-log', reason: 'is needed for the other --access-log flags' }]
    : []),
  ...(given['publishService'] !== undefined && given['publishStatusAddress'] !== undefined
    ? [{ flag: '--publish-service', reason: 'and --publish-status-address exclude each other' }]
    : []),
  ...(http === undefined && https === undefined
    ? [{ flag: '--http', reason: 'and --https are both empty: nothing would be served' }]
    : []),
]

const ACME_FLAGS = ['acmeAgreeTos', 'acmeEmail', 'acmeCa', 'acmeNamespace']

const acmeContradictions = (
  given: GivenFlags,
  { http, acme }: IngressSettings,
  agreesToTerms: boolean,
): readonly SettingsProblem[] => {
  const flag = '--acme-server'
  if (given['acmeServer'] === undefined)
    return ACME_FLAGS.some((name) => given[name] !== undefined) ? [{ flag, reason: 'is needed for the other --acme flags' }] : []
  if (acme === undefined) return []
  return [
    ...(agreesToTerms ? [] : [{ flag, reason: 'needs --acme-agree-tos: the server has terms of service' }]),
    ...(http === undefined ? [{ flag, reason: 'needs --http: challenges are answered there' }] : []),
  ]
}

const acmeOf = (server: string | undefined, rest: Omit<AcmeSettings, 'server'>): AcmeSettings | undefined =>
  server === undefined ? undefined : { server, ...rest }

const DEFAULT_TRACE_SAMPLE = 0.01

const telemetryOf = (given: {
  readonly path: string | undefined
  readonly logSample: number | undefined
  readonly withQuery: boolean | undefined
  readonly endpoint: string | undefined
  readonly traceSample: number | undefined
}): TelemetrySettings => {
  const { path, logSample = 1, withQuery = false, endpoint, traceSample } = given
  const isTraced = endpoint !== undefined || traceSample !== undefined
  const sample = traceSample ?? DEFAULT_TRACE_SAMPLE
  return {
    ...(path === undefined ? {} : { accessLog: { path, sample: logSample, withQuery } }),
    ...(isTraced ? { tracing: { sample, serviceName: 'fairway-ingress', ...(endpoint === undefined ? {} : { endpoint }) } } : {}),
  }
}

/** A value that is right, or what would be. */
type Read<T> = { readonly value: T } | { readonly expected: string }
type Reader<T> = (text: string) => Read<T>

const readerOf =
  (given: GivenFlags, problems: SettingsProblem[]) =>
  <T>(flag: string, reader: Reader<T>): T | undefined => {
    const value = given[flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]
    if (value === undefined) return undefined
    const result = reader(String(value).trim())
    if ('value' in result) return result.value
    problems.push({ flag, reason: `"${String(value)}" is not ${result.expected}` })
    return undefined
  }

const text: Reader<string> = (value) => (value === '' ? { expected: 'a file' } : { value })

const httpUrl: Reader<string> = (value) =>
  URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) ? { value } : { expected: 'an http or https URL' }
const share: Reader<number> = (value) =>
  /^(?:0|1|0?\.\d{1,6}|1\.0)$/.test(value) ? { value: Number(value) } : { expected: 'a number from 0 to 1' }
const httpsUrl: Reader<string> = (value) =>
  URL.canParse(value) && new URL(value).protocol === 'https:' ? { value } : { expected: 'an https URL' }
const email: Reader<string> = (value) =>
  /^[^\s@,?]+@[^\s@,?]+$/.test(value) ? { value } : { expected: 'an address such as us@example.com' }

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const objectName: Reader<string> = (value) =>
  NAME.test(value) ? { value } : { expected: 'a name of lower-case letters, digits, "-" and "."' }
const objectKey: Reader<string> = (value) => {
  const [namespace = '', name = '', more] = value.split('/')
  return NAME.test(namespace) && NAME.test(name) && more === undefined ? { value } : { expected: 'namespace/name' }
}
const controllerName: Reader<string> = (value) =>
  /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[-A-Za-z0-9/._~]+$/.test(value) && value.length <= 250
    ? { value }
    : { expected: 'a domain and a path, such as fairway.dev/ingress' }

const list =
  <T>(one: Reader<T>): Reader<readonly T[]> =>
  (value) => {
    const items = value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
    if (items.length === 0) return { value: [] }
    const results = items.map(one)
    const wrong = results.find((result) => 'expected' in result)
    if (wrong !== undefined && 'expected' in wrong) return { expected: `a list of ${wrong.expected}, with commas between` }
    return { value: results.flatMap((result) => ('value' in result ? [result.value] : [])) }
  }

const statusEntry: Reader<{ readonly ip: string } | { readonly hostname: string }> = (value) => {
  if (isIP(value) !== 0) return { value: { ip: value } }
  return NAME.test(value) ? { value: { hostname: value } } : { expected: 'IP addresses or DNS names' }
}

const cidr: Reader<string> = (value) => {
  const full = value.includes('/') ? value : `${value}/${isIPv6(value) ? 128 : 32}`
  return parseCIDR(full) === undefined ? { expected: 'CIDRs such as 10.0.0.0/8' } : { value: full }
}

/** `null`: nowhere. */
const listen: Reader<Listen | null> = (value) => {
  if (value === '') return { value: null }
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]*)):(\d{1,5})$/i.exec(value) ?? []
  const address = bracketed ?? (plain || '0.0.0.0')
  if (isIP(address) === 0 || port === '' || Number(port) > 65_535)
    return { expected: 'address:port, such as 0.0.0.0:80 or [::]:80' }
  return { value: { address, port: Number(port) } }
}
const listenOf = (given: Listen | null | undefined, usual: Listen): Listen | undefined =>
  given === undefined ? usual : (given ?? undefined)

const portNumber: Reader<number> = (value) =>
  /^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65_535 ? { value: Number(value) } : { expected: 'a port from 1 to 65535' }

const workerCount: Reader<number> = (value) =>
  /^[1-9]\d{0,2}$/.test(value) ? { value: Number(value) } : { expected: 'a number of processes from 1 to 999' }

const bool: Reader<boolean> = (value) =>
  value === 'true' || value === 'false' ? { value: value === 'true' } : { expected: 'true or false' }

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const duration: Reader<number> = (value) => {
  if (value === '0') return { value: 0 }
  if (!/^(\d+(ms|s|m|h))+$/.test(value)) return { expected: 'a duration such as 10s or 1m30s' }
  let ms = 0
  for (const [, number = '', unit = ''] of value.matchAll(/(\d+)(ms|s|m|h)/g)) ms += Number(number) * (UNIT_MS[unit] ?? 0)
  return { value: ms }
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]
const logLevel: Reader<LogLevel> = (value) => {
  const level = LEVELS.find((known) => known === value)
  return level === undefined ? { expected: LEVELS.join(', ') } : { value: level }
}

const publishOf = (
  service: string | undefined,
  entries: readonly ({ readonly ip: string } | { readonly hostname: string })[] | undefined,
): IngressSettings['publish'] => {
  if (service !== undefined) return { kind: 'service', key: service }
  return entries === undefined || entries.length === 0 ? { kind: 'nothing' } : { kind: 'addresses', entries }
}
