import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type LogFields, type Logger, silentLogger, UserError, VERSION } from '../base/index.ts'
import { createHttpClient, type HttpClient, loadKubeconfig } from '../client/index.ts'
import { dataDirOf } from './instance.ts'

export interface ConnectionOptions {
  readonly kubeconfig?: string
  readonly dataDir?: string
  readonly namespace?: string
}

export interface Connected {
  readonly client: HttpClient
  readonly namespace: string
}

/** Runs `use` with the API server that a command means: --kubeconfig, then --data-dir, then $KUBECONFIG, then the default data folder. */
export const withConnection = async (options: ConnectionOptions, use: (connected: Connected) => Promise<void>): Promise<void> => {
  const connection = await loadKubeconfig({ path: await kubeconfigPath(options) })
  const client = createHttpClient({ connection, userAgent: `fairway/${VERSION}`, log: warningLogger })
  try {
    await use({ client, namespace: options.namespace ?? connection.namespace })
  } finally {
    await client.close()
  }
}

/** Prints what the server warns about, as kubectl does; nothing else. */
const warningLogger: Logger = {
  ...silentLogger,
  info: (_message: string, fields?: LogFields) => {
    if (typeof fields?.['warning'] === 'string') console.error(`warning: ${fields['warning']}`)
  },
  child: () => warningLogger,
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
