import { ApiError } from '../api/index.ts'
import { type Logger, UserError, VERSION } from '../base/index.ts'
import {
  type Connection,
  ConnectionError,
  createHttpClient,
  type HttpClient,
  inClusterConnection,
  loadKubeconfig,
} from '../client/index.ts'

/** How to reach the API server: the kubeconfig, or the service account of a pod; rejects with `UserError` when neither is there. */
export const standaloneConnection = (
  kubeconfig: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Connection> => {
  if (kubeconfig !== undefined) return loadKubeconfig({ path: kubeconfig })
  if (env['KUBERNETES_SERVICE_HOST']) return inClusterConnection({ env })
  return Promise.reject(new UserError('no API server: name a kubeconfig with --kubeconfig, or run in a pod'))
}

export interface ConnectOptions {
  readonly connection: Connection
  /** Of the ClusterRole and its manifest in `deploy/`, such as `fairway-ingress`. */
  readonly role: string
  readonly log: Logger
  /** One question that this program asks anyway. */
  ask(client: HttpClient): Promise<unknown>
}

/** A client that has had one answer; rejects with `UserError` in one line when the server is not there or lets nobody in. */
export const connectStandalone = async ({ connection, role, log, ask }: ConnectOptions): Promise<HttpClient> => {
  const client = createHttpClient({ connection, userAgent: `${role}/${VERSION}`, log })
  try {
    await ask(client)
    return client
  } catch (error) {
    await client.close()
    throw refusal(error, { server: connection.server, role })
  }
}

const refusal = (error: unknown, { server, role }: { readonly server: string; readonly role: string }): unknown => {
  const mend = (what: string): UserError => new UserError(what, { cause: error })
  if (error instanceof ConnectionError) {
    return mend(`no answer from the API server (${error.message}); check that it runs and that this machine reaches it`)
  }
  if (!(error instanceof ApiError)) return error
  if (error.code === 401) {
    return mend(`the API server ${server} does not know who this is (${error.message}); check the credentials`)
  }
  if (error.code === 403) {
    return mend(`the API server ${server} refuses: ${error.message}; bind the ClusterRole ${role} of deploy/${role}.yaml`)
  }
  return error
}
