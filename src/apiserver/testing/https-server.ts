import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, type Dispatcher, request } from 'undici'
import { scheme } from '../../api/index.ts'
import { realClock, silentLogger } from '../../base/index.ts'
import type { PodLogs } from '../../client/index.ts'
import { openLmdbStore, type Store } from '../../store/index.ts'
import { createAllocators } from '../allocators/index.ts'
import { bootstrap } from '../bootstrap/index.ts'
import { type Certificates, type KeyPair, openCertificates, writeKubeconfig } from '../certificates/index.ts'
import { ipAddressStrategy } from '../registry/ipaddress/index.ts'
import { createServiceStrategy } from '../registry/service/index.ts'
import { serviceCidrStrategy } from '../registry/servicecidr/index.ts'
import { type ApiServer, createApiServer } from '../server.ts'
import type { TestObject } from './test-server.ts'

export interface HttpsServer {
  readonly server: ApiServer
  readonly store: Store
  readonly folder: string
  readonly url: string
  readonly port: number
  readonly kubeconfig: string
  readonly certificates: Certificates
  /** A client with a certificate of an administrator. */
  readonly admin: HttpsClient
  /** A client with this certificate, or none. */
  client(pair?: KeyPair, options?: { readonly allowH2?: boolean }): HttpsClient
  stop(): Promise<void>
}

export interface HttpsClient {
  readonly dispatcher: Dispatcher
  send(method: Dispatcher.HttpMethod, path: string, options?: SendOptions): Promise<HttpsAnswer>
  /** A streamed answer. */
  open(path: string, headers?: Readonly<Record<string, string>>): Promise<Dispatcher.ResponseData>
}

interface SendOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

interface HttpsAnswer {
  readonly code: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly object: TestObject
}

/** A whole API server over HTTPS on a free port, with Service allocation and `default/kubernetes`. */
export const startHttpsServer = async (options: { readonly podLogs?: PodLogs } = {}): Promise<HttpsServer> => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-https-'))
  const common = { clock: realClock, log: silentLogger }
  const stopping = new AbortController()
  const store = await openLmdbStore({ path: join(folder, 'store'), ...common })
  const allocators = createAllocators({ store, ...common })
  const allocating = await allocators.start(stopping.signal)
  const strategies = [createServiceStrategy({ store, allocators, clock: realClock }), serviceCidrStrategy, ipAddressStrategy]
  const server = createApiServer({ store, kinds: scheme, strategies, version: '0.0.0', ...common, ...options })
  const running = await server.start(stopping.signal)
  const certificates = await openCertificates({ path: join(folder, 'pki'), clock: realClock })
  const certificate = await certificates.server(['127.0.0.1', 'localhost'])
  const { authority } = certificates
  const listening = await server.listen({ host: '127.0.0.1', port: 0, authority, certificate }, stopping.signal)
  const { port } = listening.address
  await bootstrap({ port: server, log: silentLogger, serviceCIDRs: ['10.96.0.0/16'], address: '192.0.2.1', apiPort: port })
  const pair = await certificates.client({ file: 'admin', commonName: 'admin', organizations: ['system:masters'] })
  const url = `https://127.0.0.1:${port}`
  const kubeconfig = join(folder, 'kubeconfig')
  await writeKubeconfig(kubeconfig, { name: 'fairway', user: 'admin', server: url, authority, client: pair })
  const clients: Agent[] = []
  const client = (of?: KeyPair, { allowH2 = false } = {}): HttpsClient => {
    const agent = new Agent({ allowH2, connect: { ca: authority, ...(of && { cert: of.certificate, key: of.key }) } })
    clients.push(agent)
    return httpsClient(url, agent)
  }
  return {
    server,
    store,
    folder,
    url,
    port,
    kubeconfig,
    certificates,
    admin: client(pair),
    client,
    async stop() {
      await Promise.all(clients.map((agent) => agent.destroy()))
      stopping.abort()
      await Promise.all([running.stopped, listening.stopped, allocating.stopped])
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const httpsClient = (url: string, dispatcher: Agent): HttpsClient => ({
  dispatcher,
  async send(method, path, { body, headers = {} } = {}) {
    const isRaw = body instanceof Uint8Array || typeof body === 'string'
    const answer = await request(`${url}${path}`, {
      method,
      dispatcher,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? null : isRaw ? body : JSON.stringify(body),
    })
    const text = await answer.body.text()
    return { code: answer.statusCode, headers: answer.headers, text, object: parse(text) }
  },
  open: (path, headers = {}) => request(`${url}${path}`, { dispatcher, headers }),
})

const parse = (text: string): TestObject => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
