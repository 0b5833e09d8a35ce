import { readFileSync, statSync } from 'node:fs'
import { parse } from 'yaml'
import { errorMessage } from '../../../base/index.ts'
import type { ConfigResult } from '../../provider-module.ts'
import { type Credentials, createCredentials } from './client/index.ts'

/** The file of `--config` for `--provider tencent`. */
export interface TencentConfig {
  readonly region: string
  readonly credentials: Credentials
  readonly vpcId?: string
  readonly endpoint?: string
  readonly uin?: string
  readonly nodeTargets: 'instance' | 'address'
  readonly drainSeconds: number
  readonly callsPerSecond: number
  readonly callsPerSecondByAction: Readonly<Record<string, number>>
  readonly loadBalancerClass: string
  readonly servesNoClass: boolean
}

type Fields = Readonly<Record<string, unknown>>
type Env = Readonly<Record<string, string | undefined>>

const FIELDS = [
  'region',
  'vpcId',
  'endpoint',
  'uin',
  'credentialsFile',
  'nodeTargets',
  'drainSeconds',
  'callsPerSecond',
  'callsPerSecondByAction',
  'loadBalancerClass',
  'servesNoClass',
] as const

/** Reads the file, and the environment by the names that Tencent's own tools have; every problem at once, none with a secret in it. */
export const readConfig = (file: unknown, env: Env): ConfigResult<TencentConfig> => {
  const reader = createReader(file ?? {})
  const region = reader.text('region', /^[a-z]{2,}-[a-z0-9-]+$/) ?? env['TENCENTCLOUD_REGION']
  if (region === undefined) reader.problem('region', 'is needed, here or as TENCENTCLOUD_REGION')
  const vpcId = reader.text('vpcId', /^vpc-[a-z0-9-]+$/)
  const endpoint = reader.endpoint('endpoint')
  const uin = reader.text('uin', /^\d{5,20}$/)
  const credentials = readCredentials(reader, env)
  const config = {
    region: region ?? '',
    nodeTargets: reader.oneOf('nodeTargets', ['instance', 'address'] as const) ?? 'instance',
    drainSeconds: reader.number('drainSeconds', [0, 3_600]) ?? 30,
    callsPerSecond: reader.number('callsPerSecond', [0.1, 1_000]) ?? 20,
    callsPerSecondByAction: reader.rates('callsPerSecondByAction'),
    loadBalancerClass: reader.text('loadBalancerClass', /^[a-z0-9.-]+\/[a-zA-Z0-9._-]+$/) ?? 'fairway.dev/tencent',
    servesNoClass: reader.flag('servesNoClass') ?? true,
    ...(vpcId && { vpcId }),
    ...(endpoint && { endpoint }),
    ...(uin && { uin }),
  }
  if (reader.problems.length > 0 || credentials === undefined) return { kind: 'problems', problems: reader.problems }
  return { kind: 'config', config: { ...config, credentials }, warnings: reader.warnings }
}

type Reader = ReturnType<typeof createReader>

const createReader = (file: unknown) => {
  const problems: string[] = []
  const problem = (path: string, reason: string): undefined => void problems.push(`${path} ${reason}`)
  const isObject = typeof file === 'object' && file !== null && !Array.isArray(file)
  const fields: Fields = isObject ? (file as Fields) : {}
  if (!isObject) problem('the file', 'must be an object')
  for (const name of Object.keys(fields)) if (!FIELDS.some((each) => each === name)) problem(name, 'is not known')
  const read = <T>(name: (typeof FIELDS)[number], check: (value: unknown) => T | undefined, reason: string): T | undefined => {
    const value = fields[name]
    if (value === undefined) return undefined
    return check(value) ?? problem(name, reason)
  }
  return {
    problems,
    warnings: [] as string[],
    problem,
    text: (name: (typeof FIELDS)[number], pattern: RegExp) =>
      read(
        name,
        (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined),
        'is not well written (quote numbers)',
      ),
    endpoint: (name: (typeof FIELDS)[number]) =>
      read(name, endpointOf, 'must be a URL of http or https with nothing behind the host and port'),
    number: (name: (typeof FIELDS)[number], [min, max]: readonly [number, number]) =>
      read(
        name,
        (value) => (typeof value === 'number' && value >= min && value <= max ? value : undefined),
        `must be from ${min} to ${max}`,
      ),
    flag: (name: (typeof FIELDS)[number]) =>
      read(name, (value) => (typeof value === 'boolean' ? value : undefined), 'must be true or false'),
    oneOf: <const T extends string>(name: (typeof FIELDS)[number], allowed: readonly T[]) =>
      read(name, (value) => allowed.find((each) => each === value), `must be ${allowed.join(' or ')}`),
    rates: (name: (typeof FIELDS)[number]): Readonly<Record<string, number>> =>
      read(name, ratesOf, 'must have a number above 0 for each action') ?? {},
  }
}

const endpointOf = (value: unknown): string | undefined => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  const isPlain = url !== undefined && url.pathname === '/' && url.search === '' && url.username === '' && url.password === ''
  return isPlain && /^https?:$/.test(url.protocol) ? url.origin : undefined
}

const ratesOf = (value: unknown): Readonly<Record<string, number>> | undefined => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value)
  const isWell = entries.every(([, rate]) => typeof rate === 'number' && rate > 0 && rate <= 1_000)
  return isWell ? Object.fromEntries(entries) : undefined
}

const readCredentials = (reader: Reader, env: Env): Credentials | undefined => {
  const path = reader.text('credentialsFile', /^[^\0]+$/)
  return path === undefined ? fromEnvironment(reader, env) : fromFile(reader, path)
}

const fromEnvironment = (reader: Reader, env: Env): Credentials | undefined => {
  const secretId = env['TENCENTCLOUD_SECRET_ID']
  const secretKey = env['TENCENTCLOUD_SECRET_KEY']
  const token = env['TENCENTCLOUD_TOKEN']
  if (secretId && secretKey) return createCredentials({ secretId, secretKey, ...(token && { token }) })
  return reader.problem('credentialsFile', 'is needed, or TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY in the environment')
}

/** JSON or YAML; what a parser says of it is not told, because it quotes the file. */
const fromFile = (reader: Reader, path: string): Credentials | undefined => {
  const text = fileText(reader, path)
  if (text === undefined) return undefined
  const { secretId, secretKey, token } = parsed(text)
  if (typeof secretId !== 'string' || typeof secretKey !== 'string' || secretId === '' || secretKey === '')
    return reader.problem('credentialsFile', `${path} must have the texts secretId and secretKey`)
  return createCredentials({ secretId, secretKey, ...(typeof token === 'string' && token !== '' && { token }) })
}

const fileText = (reader: Reader, path: string): string | undefined => {
  try {
    if ((statSync(path).mode & 0o077) !== 0) reader.warnings.push(`credentialsFile ${path} can be read by others; chmod 600 it`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    return reader.problem('credentialsFile', `cannot be read: ${errorMessage(error)}`)
  }
}

const parsed = (text: string): Fields => {
  try {
    const value: unknown = parse(text)
    return typeof value === 'object' && value !== null ? (value as Fields) : {}
  } catch {
    return {}
  }
}
