import { ApiError, serviceCIDRKind, serviceKind } from '../../api/index.ts'
import { type Logger, UserError, VERSION } from '../../base/index.ts'
import {
  type Client,
  type Connection,
  ConnectionError,
  createHttpClient,
  type HttpClient,
  inClusterConnection,
  loadKubeconfig,
} from '../../client/index.ts'
import { NOT_OF_OTHERS } from './informers.ts'

export interface ConnectOptions {
  readonly kubeconfig?: string
  readonly master?: string
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** How to reach the API server: the kubeconfig, `--master`, or the service account of a pod; rejects with `UserError` when none is there. */
export const proxyConnection = async ({ kubeconfig, master, env = process.env }: ConnectOptions): Promise<Connection> => {
  if (kubeconfig !== undefined) {
    const connection = await loadKubeconfig({ path: kubeconfig })
    return master === undefined ? connection : { ...connection, server: serverOf(master) }
  }
  if (master !== undefined) {
    return { server: serverOf(master), tls: { insecureSkipVerify: false }, credentials: { kind: 'none' }, namespace: 'default' }
  }
  if (!env['KUBERNETES_SERVICE_HOST']) {
    throw new UserError('no API server: name a kubeconfig with --kubeconfig (or clientConnection.kubeconfig), or run in a pod')
  }
  return inClusterConnection({ env })
}

const serverOf = (master: string): string => {
  if (/^https?:\/\//.test(master) && URL.canParse(master)) return master
  throw new UserError(`--master: "${master}" is not a URL such as https://10.0.0.1:6443`, { exitCode: 2 })
}

/** A client that has had one answer; rejects with `UserError` in one line when the server is not there or lets nobody in. */
export const connectProxy = async (connection: Connection, log: Logger): Promise<HttpClient> => {
  const client = createHttpClient({ connection, userAgent: `fairway-proxy/${VERSION}`, log })
  try {
    await client.list(serviceKind, { labelSelector: NOT_OF_OTHERS, limit: 1 })
    return client
  } catch (error) {
    await client.close()
    throw refusal(error, connection.server)
  }
}

const refusal = (error: unknown, server: string): unknown => {
  if (error instanceof ConnectionError) {
    return new UserError(`no answer from the API server (${error.message}); check that it runs and that this node reaches it`, {
      cause: error,
    })
  }
  if (error instanceof ApiError && error.code === 401) {
    return new UserError(`the API server ${server} does not know who this is (${error.message}); check the credentials`, {
      cause: error,
    })
  }
  if (error instanceof ApiError && error.code === 403) {
    return new UserError(`the API server ${server} refuses: ${error.message}; bind the role system:node-proxier`, {
      cause: error,
    })
  }
  return error
}

/** Why there are no ServiceCIDR objects to follow: the server is older than Kubernetes 1.33, or refuses; undefined where there are. */
export const serviceCIDRsMissing = async (client: Client): Promise<string | undefined> => {
  try {
    await client.list(serviceCIDRKind, { limit: 1 })
    return undefined
  } catch (error) {
    if (error instanceof ApiError && (error.code === 404 || error.code === 403)) return error.message
    throw error
  }
}
