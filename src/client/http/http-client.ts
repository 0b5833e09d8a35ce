import { type Clock, type Logger, realClock } from '../../base/index.ts'
import type { Client, ObjectRef } from '../client.ts'
import { createPortClient } from '../port-client.ts'
import type { Connection } from './connection.ts'
import { createHttpPort, type HttpPort } from './http-port.ts'

export interface HttpClientOptions {
  /** From `loadKubeconfig` or `inClusterConnection`. */
  readonly connection: Connection
  readonly userAgent: string
  readonly log: Logger
  readonly clock?: Clock
  /** 30 s when left out: until headers come, and between two pieces of a body; watches have none. */
  readonly timeoutMs?: number
}

/** As `kubectl logs` asks: `container`, `follow`, `tailLines`, `timestamps`, `previous`, ... */
export type LogQuery = Readonly<Record<string, string>>

export interface HttpClient extends Client {
  /** What a container of a pod printed, in pieces; with `follow` until `signal` aborts. */
  logs(pod: ObjectRef, query: LogQuery, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Ends all connections, running watches too. */
  close(): Promise<void>
}

/** A client of any Kubernetes API server over HTTPS. */
export const createHttpClient = ({ clock = realClock, ...options }: HttpClientOptions): HttpClient => {
  const port = createHttpPort({ ...options, clock })
  const client = createPortClient({ port, user: { name: '', groups: [] }, userAgent: options.userAgent })
  return {
    ...client,
    logs: (pod, query, signal) => readLogs(port, { pod, query, signal, userAgent: options.userAgent }),
    close: port.close,
  }
}

interface LogRequest {
  readonly pod: ObjectRef
  readonly query: LogQuery
  readonly signal: AbortSignal | undefined
  readonly userAgent: string
}

const readLogs = async (port: HttpPort, { pod, query, signal, userAgent }: LogRequest): Promise<AsyncIterable<Uint8Array>> => {
  const target = { group: '', version: 'v1', resource: 'pods', subresource: 'log', namespace: pod.namespace, name: pod.name }
  const answer = await port.execute({ verb: 'get', ...target, query, user: { name: '', groups: [] }, userAgent, signal })
  if (answer.kind !== 'stream') throw new Error('the answer to a request for logs is no stream')
  return answer.chunks
}
