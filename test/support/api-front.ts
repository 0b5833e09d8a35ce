import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parse } from 'yaml'

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }[]
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string }
  }[]
}

/** Stands before an API server, notes what is asked of it, and refuses what a cluster's RBAC would. */
export interface ApiFront {
  /** Leads here, without credentials. */
  readonly kubeconfig: string
  /** `GET /path?query` of every request. */
  readonly requests: readonly string[]
  /** Whether a request is answered 403. */
  forbids: (method: string, url: URL) => boolean
  close(): Promise<void>
}

/** `instance` is read anew for each connection: the API server may come back elsewhere. */
export const startApiFront = async (file: string, instance: () => string): Promise<ApiFront> => {
  const requests: string[] = []
  const agent = new Agent({ keepAlive: true })
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const url = new URL(incoming.url ?? '/', 'http://front')
    requests.push(`${incoming.method} ${decodeURIComponent(incoming.url ?? '')}`)
    if (front.forbids(incoming.method ?? '', url)) {
      const status = {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        reason: 'Forbidden',
        code: 403,
        message: `${url.pathname} is forbidden`,
      }
      outgoing.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(status))
      return
    }
    const { server, tls } = credentialsOf(instance())
    const call = request(
      {
        ...tls,
        agent,
        host: server.hostname,
        port: server.port,
        path: incoming.url,
        method: incoming.method,
        headers: incoming.headers,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
        outgoing.flushHeaders()
        answer.pipe(outgoing)
        answer.once('error', () => outgoing.destroy())
      },
    )
    call.once('error', () => outgoing.destroy())
    outgoing.once('close', () => call.destroy())
    incoming.pipe(call)
  }
  const server = createServer(pass).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const front: ApiFront = {
    kubeconfig: file,
    requests,
    forbids: () => false,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      agent.destroy()
    },
  }
  const named = (name: string, rest: object) => [{ name, ...rest }]
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: named('front', { cluster: { server: `http://127.0.0.1:${port}` } }),
    users: named('nobody', { user: {} }),
    contexts: named('front', { context: { cluster: 'front', user: 'nobody' } }),
    'current-context': 'front',
  }
  await writeFile(file, JSON.stringify(kubeconfig), { mode: 0o644 })
  return front
}

const credentialsOf = (kubeconfig: string) => {
  const { clusters, users }: Kubeconfig = parse(readFileSync(kubeconfig, 'utf8'))
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user]
  if (!cluster || !user) throw new Error(`${kubeconfig} names no cluster or no user`)
  const decode = (text: string): Buffer => Buffer.from(text, 'base64')
  return {
    server: new URL(cluster.server),
    tls: {
      ca: decode(cluster['certificate-authority-data']),
      cert: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
    },
  }
}
