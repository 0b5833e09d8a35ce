import { resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { UserError } from '../../base/index.ts'
import type { Credentials } from '../http/connection.ts'
import { isRecord } from '../response.ts'

/** A kubeconfig after parsing; nothing is read from other files yet. */
export interface Kubeconfig {
  /** For messages. */
  readonly where: string
  readonly currentContext: string
  readonly clusters: ReadonlyMap<string, ClusterEntry>
  readonly contexts: ReadonlyMap<string, ContextEntry>
  readonly users: ReadonlyMap<string, UserEntry>
}

export interface ClusterEntry {
  readonly server: string
  readonly ca: PemSource | undefined
  readonly serverName: string | undefined
  readonly insecureSkipVerify: boolean
}

interface ContextEntry {
  readonly cluster: string
  readonly user: string
  readonly namespace: string
}

export interface UserEntry {
  readonly name: string
  readonly cert: PemSource | undefined
  readonly key: PemSource | undefined
  readonly credentials: Credentials
}

/** Where PEM text is; `field` is for messages. */
type PemSource = { readonly field: string } & ({ readonly data: string } | { readonly file: string })

interface Place {
  readonly where: string
  /** Relative paths start here. */
  readonly folder: string
}

const SIZE_LIMIT = 4 << 20
const EXEC_VERSIONS: ReadonlySet<string> = new Set(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'])

/** Parses the text of a kubeconfig; throws `UserError` that says which entry is wrong. */
export const parseKubeconfig = (text: string, place: Place): Kubeconfig => {
  const { where } = place
  if (text.length > SIZE_LIMIT) throw new UserError(`${where} has more than ${SIZE_LIMIT} characters`)
  const document = parseDocument(text)
  const [error] = document.errors
  if (error) throw new UserError(`${where} is not YAML: ${error.message.split('\n')[0]}`)
  const value: unknown = document.toJS({ maxAliasCount: 100 })
  if (!isRecord(value)) throw new UserError(`${where} is empty or not a kubeconfig`)
  if (value['kind'] !== undefined && value['kind'] !== 'Config')
    throw new UserError(`${where} is a ${String(value['kind'])}, not a Config`)
  const current = value['current-context']
  return {
    where,
    currentContext: typeof current === 'string' ? current : '',
    clusters: entries(value, { list: 'clusters', part: 'cluster', where }, (name, part) =>
      clusterEntry(part, { ...place, where: `${where}: cluster "${name}"` }),
    ),
    contexts: entries(value, { list: 'contexts', part: 'context', where }, (name, part) =>
      contextEntry(part, `${where}: context "${name}"`),
    ),
    users: entries(value, { list: 'users', part: 'user', where }, (name, part) =>
      userEntry(name, part, { ...place, where: `${where}: user "${name}"` }),
    ),
  }
}

type Part = Readonly<Record<string, unknown>>

const entries = <T>(
  value: Part,
  { list, part, where }: { readonly list: string; readonly part: string; readonly where: string },
  parse: (name: string, part: Part) => T,
): ReadonlyMap<string, T> => {
  const all = value[list] ?? []
  if (!Array.isArray(all)) throw new UserError(`${where}: ${list} is not a list`)
  const parsed = new Map<string, T>()
  for (const [index, entry] of all.entries()) {
    const name: unknown = isRecord(entry) ? entry['name'] : undefined
    if (!isRecord(entry) || typeof name !== 'string') throw new UserError(`${where}: ${list}[${index}] has no name`)
    const content = entry[part] ?? {}
    if (!isRecord(content)) throw new UserError(`${where}: ${part} "${name}" is not a map`)
    if (!parsed.has(name)) parsed.set(name, parse(name, content))
  }
  return parsed
}

const clusterEntry = (part: Part, place: Place): ClusterEntry => {
  const { where } = place
  const server = text(part, 'server', where)
  if (server === undefined) throw new UserError(`${where} has no server`)
  if (!URL.canParse(server) || !['http:', 'https:'].includes(new URL(server).protocol)) {
    throw new UserError(`${where}: server "${server}" is not a http or https address`)
  }
  if (text(part, 'proxy-url', where))
    throw new UserError(`${where}: proxy-url is not supported; reach the server without a proxy`)
  const insecureSkipVerify = flag(part, 'insecure-skip-tls-verify', where)
  const ca = pemSource(part, 'certificate-authority', place)
  if (insecureSkipVerify && ca)
    throw new UserError(`${where}: insecure-skip-tls-verify and a certificate-authority exclude each other`)
  return { server, ca, serverName: text(part, 'tls-server-name', where), insecureSkipVerify }
}

const contextEntry = (part: Part, where: string): ContextEntry => {
  const cluster = text(part, 'cluster', where)
  if (cluster === undefined) throw new UserError(`${where} names no cluster`)
  return { cluster, user: text(part, 'user', where) ?? '', namespace: text(part, 'namespace', where) ?? '' }
}

const userEntry = (name: string, part: Part, place: Place): UserEntry => {
  const { where } = place
  if (part['auth-provider'] !== undefined)
    throw new UserError(`${where}: auth-provider was removed from Kubernetes; use an exec plugin`)
  if (part['as'] !== undefined) throw new UserError(`${where}: impersonation ("as") is not supported`)
  return {
    name,
    cert: pemSource(part, 'client-certificate', place),
    key: pemSource(part, 'client-key', place),
    credentials: credentialsOf(part, place),
  }
}

/** A token file goes before a token: it has the newer one. */
const credentialsOf = (part: Part, { where, folder }: Place): Credentials => {
  const tokenFile = text(part, 'tokenFile', where)
  if (tokenFile !== undefined) return { kind: 'tokenFile', path: resolve(folder, tokenFile) }
  const token = text(part, 'token', where)
  if (token !== undefined) {
    if (/[^\x21-\x7e]/.test(token)) throw new UserError(`${where}: token has characters that no token has`)
    return { kind: 'token', token }
  }
  const username = text(part, 'username', where)
  const password = text(part, 'password', where)
  if (username !== undefined || password !== undefined) {
    if (username === undefined || password === undefined) throw new UserError(`${where}: username and password go together`)
    return { kind: 'basic', username, password }
  }
  const exec = part['exec']
  return exec === undefined || exec === null ? { kind: 'none' } : execCredentials(exec, { where: `${where}: exec`, folder })
}

const execCredentials = (exec: unknown, { where, folder }: Place): Credentials => {
  if (!isRecord(exec)) throw new UserError(`${where} is not a map`)
  const command = text(exec, 'command', where)
  const apiVersion = text(exec, 'apiVersion', where) ?? ''
  if (command === undefined) throw new UserError(`${where} has no command`)
  if (!EXEC_VERSIONS.has(apiVersion)) {
    throw new UserError(`${where}: apiVersion "${apiVersion}" is not supported; there are: ${[...EXEC_VERSIONS].join(', ')}`)
  }
  if (exec['interactiveMode'] === 'Always') throw new UserError(`${where}: interactiveMode Always is not supported`)
  const args = exec['args'] ?? []
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === 'string'))
    throw new UserError(`${where}: args is not a list of strings`)
  const env = exec['env'] ?? []
  if (!Array.isArray(env)) throw new UserError(`${where}: env is not a list`)
  const pairs = env.map((pair: unknown, index): readonly [string, string] => {
    const [key, value] = isRecord(pair) ? [pair['name'], pair['value']] : []
    if (typeof key !== 'string' || typeof value !== 'string') throw new UserError(`${where}: env[${index}] needs name and value`)
    return [key, value]
  })
  const installHint = text(exec, 'installHint', where)
  return {
    kind: 'exec',
    plugin: {
      apiVersion,
      // As client-go: a path is relative to the kubeconfig, a bare name is looked up in PATH.
      command: command.includes('/') ? resolve(folder, command) : command,
      args,
      env: Object.fromEntries(pairs),
      ...(installHint === undefined ? {} : { installHint }),
      ...(flag(exec, 'provideClusterInfo', where) ? { cluster: {} } : {}),
    },
  }
}

/** The `-data` form goes before the file. */
const pemSource = (part: Part, name: string, { where, folder }: Place): PemSource | undefined => {
  const data = text(part, `${name}-data`, where)
  if (data !== undefined) {
    if (!/^[A-Za-z0-9+/=\s]+$/.test(data)) throw new UserError(`${where}: ${name}-data is not base64`)
    return { field: `${where}: ${name}-data`, data: Buffer.from(data, 'base64').toString('utf8') }
  }
  const file = text(part, name, where)
  return file === undefined ? undefined : { field: `${where}: ${name}`, file: resolve(folder, file) }
}

/** A string field; undefined when it is missing or empty. */
const text = (part: Part, field: string, where: string): string | undefined => {
  const value = Object.hasOwn(part, field) ? part[field] : undefined
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw new UserError(`${where}: ${field} is not a string`)
  return value
}

const flag = (part: Part, field: string, where: string): boolean => {
  const value = Object.hasOwn(part, field) ? part[field] : undefined
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') throw new UserError(`${where}: ${field} is neither true nor false`)
  return value
}
