import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError, VERSION } from '../base/index.ts'
import { type Connection, createHttpClient, type HttpClient, loadKubeconfig } from '../client/index.ts'
import { dataDirOf } from './instance.ts'

export interface ConnectionOptions {
  readonly kubeconfig?: string
  readonly dataDir?: string
  readonly namespace?: string
}

export interface Connected {
  readonly client: HttpClient
  readonly connection: Connection
  readonly namespace: string
}

/** The API server that a command means: --kubeconfig, then --data-dir, then $KUBECONFIG, then the default data folder. */
export const connect = async (options: ConnectionOptions): Promise<Connected> => {
  const connection = await loadKubeconfig(await kubeconfigPath(options))
  const client = createHttpClient({ connection, userAgent: `fairway/${VERSION}` })
  return { client, connection, namespace: options.namespace ?? connection.namespace ?? 'default' }
}

const kubeconfigPath = async (options: ConnectionOptions): Promise<string> => {
  if (options.kubeconfig) return options.kubeconfig
  if (options.dataDir === undefined && process.env['KUBECONFIG']) return process.env['KUBECONFIG']
  const path = join(dataDirOf(options), 'kubeconfig')
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  if (!exists)
    throw new UserError(
      `no kubeconfig: ${path} does not exist; start an instance with "fairway up", or name one with --kubeconfig`,
    )
  return path
}
