import { isIP } from 'node:net'
import type { LogLevel } from '../../base/index.ts'
import { PROVIDERS, type SelectableProvider } from './providers.ts'

interface Listen {
  readonly address: string
  readonly port: number
}

/** What `fairway loadbalancer` was told, checked. */
export interface LoadBalancerSettings {
  readonly provider: SelectableProvider
  readonly configFile: string | undefined
  readonly kubeconfig: string | undefined
  readonly clusterId: string
  readonly prune: boolean
  readonly resyncMs: number
  readonly workers: number
  readonly election: { readonly name: string; readonly namespace: string | undefined }
  readonly health: Listen | undefined
  readonly metrics: Listen | undefined
  readonly logLevel: LogLevel
}

interface SettingsProblem {
  readonly flag: string
  readonly reason: string
}

/** What the user gave, by the option's name without dashes. */
export type GivenFlags = Readonly<Record<string, unknown>>

export type SettingsResult =
  | { readonly kind: 'settings'; readonly settings: LoadBalancerSettings }
  | { readonly kind: 'problems'; readonly problems: readonly SettingsProblem[] }

/** Reads the flags; every problem at once. Pure. */
export const readSettings = (given: GivenFlags, env: Readonly<Record<string, string | undefined>>): SettingsResult => {
  const problems: SettingsProblem[] = []
  const read = <T>(flag: string, reader: (text: string) => T | undefined, expected: string): T | undefined => {
    const value = given[flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]
    if (value === undefined) return undefined
    const result = reader(String(value).trim())
    if (result === undefined) problems.push({ flag, reason: `"${String(value)}" is not ${expected}` })
    return result
  }
  const names = PROVIDERS.map(({ name }) => name).join(', ')
  const provider = read('--provider', (text) => PROVIDERS.find(({ name }) => name === text), `one of ${names}`)
  if (given['provider'] === undefined) problems.push({ flag: '--provider', reason: `is needed: one of ${names}` })
  const settings = {
    configFile: read('--config', nonEmpty, 'a file'),
    kubeconfig: read('--kubeconfig', nonEmpty, 'a file'),
    clusterId: read('--cluster-id', clusterId, 'an id of at most 63 letters, digits, ".", "_" and "-"') ?? 'default',
    prune: given['prune'] === true,
    resyncMs: read('--resync', duration, 'a duration of at least 10s, such as 10m') ?? 600_000,
    workers: read('--workers', workerCount, 'a number from 1 to 64') ?? 4,
    election: {
      name: read('--election-id', objectName, NAME_EXPECTED) ?? `fairway-loadbalancer-${provider?.name}`,
      namespace: read('--election-namespace', objectName, NAME_EXPECTED) ?? (env['POD_NAMESPACE'] || undefined),
    },
    health: listenOf(read('--health', listen, LISTEN_EXPECTED), { address: '0.0.0.0', port: 10_258 }),
    metrics: listenOf(read('--metrics', listen, LISTEN_EXPECTED), { address: '127.0.0.1', port: 10_259 }),
    logLevel: read('--log-level', logLevel, LEVELS.join(', ')) ?? 'info',
  }
  if (provider === undefined || problems.length > 0) return { kind: 'problems', problems }
  return { kind: 'settings', settings: { provider, ...settings } }
}

const NAME_EXPECTED = 'a name of lower-case letters, digits, "-" and "."'
const LISTEN_EXPECTED = 'address:port, such as 0.0.0.0:80 or [::]:80'
const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }

const nonEmpty = (text: string): string | undefined => text || undefined
const clusterId = (text: string): string | undefined => (/^[A-Za-z0-9][-A-Za-z0-9._]{0,62}$/.test(text) ? text : undefined)
const objectName = (text: string): string | undefined => (/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text) ? text : undefined)
const workerCount = (text: string): number | undefined => (/^([1-9]|[1-5]\d|6[0-4])$/.test(text) ? Number(text) : undefined)
const logLevel = (text: string): LogLevel | undefined => LEVELS.find((level) => level === text)

const duration = (text: string): number | undefined => {
  const [, count = '', unit = ''] = /^(\d{1,6})(s|m|h)$/.exec(text) ?? []
  const ms = Number(count) * (UNIT_MS[unit] ?? 0)
  return ms >= 10_000 ? ms : undefined
}

/** `null`: nowhere. */
const listen = (text: string): Listen | null | undefined => {
  if (text === '') return null
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]*)):(\d{1,5})$/i.exec(text) ?? []
  const address = bracketed ?? (plain || '0.0.0.0')
  return isIP(address) === 0 || port === '' || Number(port) > 65_535 ? undefined : { address, port: Number(port) }
}

const listenOf = (given: Listen | null | undefined, usual: Listen): Listen | undefined =>
  given === undefined ? usual : (given ?? undefined)
