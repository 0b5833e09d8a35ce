import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { errorCode, errorMessage, UserError } from '../../base/index.ts'
import type { Connection } from '../http/connection.ts'
import { type ClusterEntry, type Kubeconfig, parseKubeconfig, type UserEntry } from './parse.ts'

export interface KubeconfigOptions {
  /** A file; several, separated by `:`, are merged as kubectl does: the first that says something counts. */
  readonly path?: string
  /** The text itself instead of a file. */
  readonly text?: string
  /** Instead of `current-context`. */
  readonly context?: string
}

/** The connection that a kubeconfig describes; rejects with `UserError` that says what is missing where. */
export const loadKubeconfig = async (options: KubeconfigOptions = {}): Promise<Connection> => {
  const config = await readConfig(options)
  const { where } = config
  const contextName = options.context ?? config.currentContext
  if (!contextName) throw new UserError(`${where} has no current-context; choose one of: ${names(config.contexts)}`)
  const context = config.contexts.get(contextName)
  if (!context) throw new UserError(`${where} has no context "${contextName}"; it has: ${names(config.contexts)}`)
  const cluster = config.clusters.get(context.cluster)
  if (!cluster) {
    throw new UserError(
      `${where}: context "${contextName}" names cluster "${context.cluster}", which is not there; there are: ${names(config.clusters)}`,
    )
  }
  const user = context.user === '' ? undefined : config.users.get(context.user)
  if (context.user !== '' && !user) {
    throw new UserError(
      `${where}: context "${contextName}" names user "${context.user}", which is not there; there are: ${names(config.users)}`,
    )
  }
  return connect(cluster, user, context.namespace)
}

const names = (entries: ReadonlyMap<string, unknown>): string => [...entries.keys()].join(', ') || 'none'

const readConfig = async ({ path, text }: KubeconfigOptions): Promise<Kubeconfig> => {
  if (text !== undefined) return parseKubeconfig(text, { where: 'the kubeconfig', folder: process.cwd() })
  const paths = (path ?? process.env['KUBECONFIG'] ?? '').split(':').filter((entry) => entry !== '')
  const files = paths.length > 0 ? paths : [join(homedir(), '.kube', 'config')]
  const configs: Kubeconfig[] = []
  for (const file of files) {
    const content = await readFile(file, 'utf8').catch((error: unknown) => {
      // As kubectl: of several files some may be missing.
      if (errorCode(error) === 'ENOENT' && files.length > 1) return undefined
      throw new UserError(`the kubeconfig ${file} can't be read: ${errorMessage(error)}`, { cause: error })
    })
    if (content !== undefined)
      configs.push(parseKubeconfig(content, { where: `the kubeconfig ${file}`, folder: dirname(resolve(file)) }))
  }
  const [first, ...others] = configs
  if (!first) throw new UserError(`none of the kubeconfigs is there: ${files.join(', ')}`)
  return others.reduce(merged, first)
}

const merged = (a: Kubeconfig, b: Kubeconfig): Kubeconfig => ({
  where: `${a.where} with ${b.where}`,
  currentContext: a.currentContext || b.currentContext,
  clusters: new Map([...b.clusters, ...a.clusters]),
  contexts: new Map([...b.contexts, ...a.contexts]),
  users: new Map([...b.users, ...a.users]),
})

const connect = async (cluster: ClusterEntry, user: UserEntry | undefined, namespace: string): Promise<Connection> => {
  const ca = await pem(cluster.ca)
  const cert = await pem(user?.cert)
  const key = await pem(user?.key)
  if ((cert === undefined) !== (key === undefined)) {
    throw new UserError(
      `the user "${user?.name}" has a client ${cert === undefined ? 'key without its certificate' : 'certificate without its key'}`,
    )
  }
  const { server, serverName, insecureSkipVerify } = cluster
  return {
    server,
    tls: {
      insecureSkipVerify,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { serverName }),
    },
    credentials: withCluster(user?.credentials ?? { kind: 'none' }, { server, ca, insecureSkipVerify, serverName }),
    namespace: namespace || 'default',
  }
}

interface ClusterInfo {
  readonly server: string
  readonly ca: string | undefined
  readonly insecureSkipVerify: boolean
  readonly serverName: string | undefined
}

/** A plugin that asked for it (`provideClusterInfo`) gets to see the cluster. */
const withCluster = (credentials: UserEntry['credentials'], info: ClusterInfo): UserEntry['credentials'] => {
  if (credentials.kind !== 'exec' || !credentials.plugin.cluster) return credentials
  const cluster = {
    server: info.server,
    ...(info.ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(info.ca).toString('base64') }),
    ...(info.serverName === undefined ? {} : { 'tls-server-name': info.serverName }),
    ...(info.insecureSkipVerify ? { 'insecure-skip-tls-verify': true } : {}),
  }
  return { ...credentials, plugin: { ...credentials.plugin, cluster } }
}

const pem = async (source: ClusterEntry['ca']): Promise<string | undefined> => {
  if (source === undefined) return undefined
  const { field } = source
  const text =
    'data' in source
      ? source.data
      : await readFile(source.file, 'utf8').catch((error: unknown) => {
          throw new UserError(`${field}: ${source.file} can't be read: ${errorMessage(error)}`, { cause: error })
        })
  if (!text.includes('-----BEGIN ')) throw new UserError(`${field} holds no PEM text`)
  return text
}
