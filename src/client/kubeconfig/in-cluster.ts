import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage, UserError } from '../../base/index.ts'
import type { Connection } from '../http/connection.ts'

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'

export interface InClusterOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where the service account is mounted. */
  readonly folder?: string
}

/** The connection of a pod to its own cluster; rejects with `UserError` outside of a pod. */
export const inClusterConnection = async ({ env = process.env, folder = FOLDER }: InClusterOptions = {}): Promise<Connection> => {
  const host = env['KUBERNETES_SERVICE_HOST']
  const port = env['KUBERNETES_SERVICE_PORT']
  if (!host || !port) throw new UserError('this is not a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set')
  const read = (name: string): Promise<string> =>
    readFile(join(folder, name), 'utf8').catch((error: unknown) => {
      throw new UserError(`the service account's ${name} can't be read: ${errorMessage(error)}`, { cause: error })
    })
  const namespace = await read('namespace').catch(() => 'default')
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tls: { ca: await read('ca.crt'), insecureSkipVerify: false },
    credentials: { kind: 'tokenFile', path: join(folder, 'token') },
    namespace: namespace.trim() || 'default',
  }
}
