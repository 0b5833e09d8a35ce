import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'
import { parse } from 'yaml'

/** What the API server answered, whatever it was. */
export interface RawReply {
  readonly code: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The parsed body; undefined when it is no JSON. */
  // A test reads what it expects to be there.
  // biome-ignore lint/suspicious/noExplicitAny: any shape may come
  readonly json: any
}

export interface RawRequest {
  readonly method?: string
  readonly type?: string
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** The API server of a kubeconfig without any client library in between. */
export interface RawApi {
  send(path: string, options?: RawRequest): Promise<RawReply>
  /** A bare TLS connection with the client certificate, HTTP/1.1. */
  connect(): TLSSocket
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }[]
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string }
  }[]
}

/** Every request has a connection of its own, so that a broken one harms no other. */
export const createRawApi = (kubeconfig: string): RawApi => {
  const { clusters, users }: Kubeconfig = parse(readFileSync(kubeconfig, 'utf8'))
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user]
  if (!cluster || !user) throw new Error(`${kubeconfig} names no cluster or no user`)
  const decode = (text: string): Buffer => Buffer.from(text, 'base64')
  const tls = {
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  }
  const { hostname, port } = new URL(cluster.server)
  return {
    send: (path, { method, type = 'application/json', body, headers } = {}) =>
      new Promise((resolve, reject) => {
        const call = request(
          {
            ...tls,
            ...{ hostname, port, path, agent: false, timeout: 60_000 },
            method: method ?? (body === undefined ? 'GET' : 'POST'),
            headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
          },
          (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.once('error', reject)
            response.once('end', () => {
              const text = Buffer.concat(chunks).toString('utf8')
              resolve({ code: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) })
            })
          },
        )
        call.once('timeout', () => call.destroy(new Error(`${path}: no answer`)))
        call.once('error', reject)
        call.end(body)
      }),
    connect: () => connect({ ...tls, host: hostname, port: Number(port), servername: 'localhost', ALPNProtocols: ['http/1.1'] }),
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
