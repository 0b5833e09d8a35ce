import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { errorCode, errorMessage, type LogLevel, UserError } from '../../base/index.ts'
import {
  type EmulatorOptions,
  type Instance,
  type Inventory,
  isQuota,
  type Quotas,
  type StoredCertificate,
  type Subnet,
} from '../../emulator/index.ts'

/** What commander gives. */
export type GivenFlags = Readonly<Record<string, unknown>>

type CloudSettings = Omit<EmulatorOptions, 'log' | 'clock' | 'credentials'> & { readonly logLevel: LogLevel }

/** Reads flags and the files that they name. Throws `UserError` for the first that is wrong. */
export const readSettings = async (given: GivenFlags): Promise<CloudSettings> => {
  const dataDir = textFlag(given, 'dataDir')
  if (dataDir === undefined) throw wrong('--data-dir', 'is required')
  const region = textFlag(given, 'region')
  const vipCidr = textFlag(given, 'vipCidr')
  return {
    dataDir: resolve(dataDir),
    listen: listenOf(textFlag(given, 'listen') ?? '127.0.0.1:8317'),
    inventory: await inventoryOf(given),
    certificates: await Promise.all(pairs(given, 'certificate').map(certificateOf)),
    quotas: quotasOf(given),
    isDomainType: given['domainType'] === true,
    isForwarding: given['forwarding'] !== false,
    logLevel: logLevelOf(textFlag(given, 'logLevel')),
    ...(region !== undefined && { region: named('--region', region, /^[a-z]{2}-[a-z0-9-]+$/) }),
    ...(vipCidr !== undefined && { vipCidr }),
    ...numbersOf(given),
  }
}

const wrong = (flag: string, reason: string, cause?: unknown): UserError =>
  new UserError(`${flag}: ${reason}`, { exitCode: 2, cause })

const textFlag = (given: GivenFlags, name: string): string | undefined => {
  const value = given[name]
  return typeof value === 'string' ? value : undefined
}

const named = (flag: string, value: string, pattern: RegExp): string => {
  if (!pattern.test(value)) throw wrong(flag, `${JSON.stringify(value)} is not of the form that is expected`)
  return value
}

const listenOf = (text: string): { readonly address: string; readonly port: number } => {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const address = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3])
  if (isIP(address) === 0 || !(port <= 65_535))
    throw wrong('--listen', `${JSON.stringify(text)} is not ADDRESS:PORT, such as 127.0.0.1:8317`)
  return { address, port }
}

const numbersOf = (given: GivenFlags): Pick<EmulatorOptions, 'taskMs' | 'callsPerSecond' | 'secondMs' | 'portOffset'> => ({
  ...numberFlag(given, 'taskMs', { flag: '--task-ms', min: 0, max: 600_000 }),
  ...numberFlag(given, 'callsPerSecond', { flag: '--calls-per-second', min: 0, max: 1_000_000 }),
  ...numberFlag(given, 'secondMs', { flag: '--second-ms', min: 1, max: 60_000 }),
  ...numberFlag(given, 'portOffset', { flag: '--port-offset', min: 0, max: 64_512 }),
})

const numberFlag = <K extends string>(
  given: GivenFlags,
  name: K,
  { flag, min, max }: { readonly flag: string; readonly min: number; readonly max: number },
): { readonly [key in K]?: number } => {
  const text = textFlag(given, name)
  if (text === undefined) return {}
  const value = Number(text)
  if (!/^\d{1,9}$/.test(text) || value < min || value > max)
    throw wrong(flag, `${JSON.stringify(text)} is not a whole number from ${min} to ${max}`)
  // The one key is `name`.
  return { [name]: value } as { readonly [key in K]?: number }
}

const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

const logLevelOf = (text = 'warn'): LogLevel => {
  const level = LOG_LEVELS.find((one) => one === text)
  if (level === undefined) throw wrong('--log-level', `${JSON.stringify(text)} is none of ${LOG_LEVELS.join(', ')}`)
  return level
}

interface Pair {
  readonly flag: string
  readonly key: string
  readonly value: string
}

const pairs = (given: GivenFlags, name: string): readonly Pair[] => {
  const texts = given[name]
  if (!Array.isArray(texts)) return []
  return texts.map((text: unknown) => {
    const [, key, value] = /^([^=\s]+)=(.+)$/.exec(String(text)) ?? []
    if (key === undefined || value === undefined) throw wrong(`--${name}`, `${JSON.stringify(text)} is not KEY=VALUE`)
    return { flag: `--${name}`, key, value }
  })
}

const quotasOf = (given: GivenFlags): Partial<Quotas> => {
  const quotas: Record<string, number> = {}
  for (const { key, value } of pairs(given, 'quota')) {
    if (!isQuota(key)) throw wrong('--quota', `there is no ${JSON.stringify(key)}`)
    if (!/^\d{1,9}$/.test(value)) throw wrong('--quota', `${JSON.stringify(value)} is not a whole number`)
    quotas[key] = Number(value)
  }
  return quotas
}

const inventoryOf = async (given: GivenFlags): Promise<Partial<Inventory>> => {
  const path = textFlag(given, 'inventory')
  const file = path === undefined ? {} : readInventory(await readText('--inventory', path), path)
  return {
    ...file,
    instances: [...(file.instances ?? []), ...pairs(given, 'instance').map(instanceOf)],
    subnets: [
      ...(file.subnets ?? []),
      ...pairs(given, 'subnet').map(({ key, value }) => checkedSubnet('--subnet', { id: key, cidr: value })),
    ],
  }
}

const instanceOf = ({ key, value }: Pair): Instance => {
  const [address = '', privateAddress, ...rest] = value.split(',')
  if (rest.length > 0) throw wrong('--instance', `${JSON.stringify(value)} has more than two addresses`)
  return checkedInstance('--instance', { id: key, address, ...(privateAddress !== undefined && { privateAddress }) })
}

const checkedInstance = (flag: string, one: Instance): Instance => {
  named(flag, one.id, /^ins-[A-Za-z0-9-]{1,40}$/)
  for (const address of [one.address, one.privateAddress ?? one.address])
    if (isIP(address) === 0) throw wrong(flag, `${JSON.stringify(address)} of ${one.id} is no address`)
  return one
}

const checkedSubnet = (flag: string, one: Subnet): Subnet => {
  named(flag, one.id, /^subnet-[A-Za-z0-9-]{1,40}$/)
  named(flag, one.cidr, /^[0-9.]+\/\d{1,2}$/)
  return one
}

const readInventory = (text: string, path: string): Partial<Inventory> => {
  const flag = `--inventory ${path}`
  try {
    const value: unknown = parseYaml(text)
    const fields = objectOf(flag, value, ['vpcId', 'zone', 'instances', 'subnets'])
    const list = (name: string): readonly unknown[] => (Array.isArray(fields[name]) ? fields[name] : [])
    return {
      ...(typeof fields['vpcId'] === 'string' && { vpcId: fields['vpcId'] }),
      ...(typeof fields['zone'] === 'string' && { zone: fields['zone'] }),
      instances: list('instances').map((one) => {
        const { id, address, privateAddress, name } = textsOf(flag, one, ['id', 'address', 'privateAddress', 'name'])
        return checkedInstance(flag, {
          id: id ?? '',
          address: address ?? '',
          ...(privateAddress !== undefined && { privateAddress }),
          ...(name !== undefined && { name }),
        })
      }),
      subnets: list('subnets').map((one) => {
        const { id, cidr, vpcId } = textsOf(flag, one, ['id', 'cidr', 'vpcId'])
        return checkedSubnet(flag, { id: id ?? '', cidr: cidr ?? '', ...(vpcId !== undefined && { vpcId }) })
      }),
    }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw wrong(flag, `is no YAML: ${errorMessage(error).split('\n')[0]}`, error)
  }
}

const objectOf = (flag: string, value: unknown, allowed: readonly string[]): Readonly<Record<string, unknown>> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(flag, 'an object is expected')
  for (const key of Object.keys(value))
    if (!allowed.includes(key)) throw wrong(flag, `there is no field ${JSON.stringify(key)}; allowed: ${allowed.join(', ')}`)
  return Object.fromEntries(Object.entries(value))
}

const textsOf = (flag: string, value: unknown, allowed: readonly string[]): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(
    Object.entries(objectOf(flag, value, allowed)).map(([key, text]) => {
      if (typeof text !== 'string') throw wrong(flag, `${key} is no text`)
      return [key, text]
    }),
  )

const certificateOf = async ({ key: id, value }: Pair): Promise<StoredCertificate> => {
  const [chainFile = '', keyFile] = value.split(',')
  const chain = await readText('--certificate', chainFile)
  return { id, chain, ...(keyFile !== undefined && { key: await readText('--certificate', keyFile) }) }
}

export const readText = async (flag: string, path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw wrong(flag, `${path} can't be read (${errorCode(error)})`, error)
  }
}
