import { type Clock, type Logger, realClock } from '../../base/index.ts'
import type { Client } from '../client.ts'
import { createPortClient } from '../port-client.ts'
import type { Connection } from './connection.ts'
import { createHttpPort } from './http-port.ts'

export interface HttpClientOptions {
  /** From `loadKubeconfig` or `inClusterConnection`. */
  readonly connection: Connection
  readonly userAgent: string
  readonly log: Logger
  readonly clock?: Clock
  /** 30 s when left out: until headers come, and between two pieces of a body; watches have none. */
  readonly timeoutMs?: number
}

export interface HttpClient extends Client {
  /** Ends all connections, running watches too. */
  close(): Promise<void>
}

/** A client of any Kubernetes API server over HTTPS. */
export const createHttpClient = ({ clock = realClock, ...options }: HttpClientOptions): HttpClient => {
  const port = createHttpPort({ ...options, clock })
  const client = createPortClient({ port, user: { name: '', groups: [] }, userAgent: options.userAgent })
  return { ...client, close: port.close }
}
