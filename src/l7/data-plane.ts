import { randomBytes } from 'node:crypto'
import net from 'node:net'
import type { EngineContext, FailedRequest } from './context.ts'
import { Deadlines } from './deadlines.ts'
import { ClientConnection, type ServerName } from './http1/client-connection.ts'
import type { Peer } from './http1/forwarded.ts'
import type { EngineSettings } from './settings.ts'
import { Stats } from './stats.ts'
import { type Certificate, Matcher, type TableDelta } from './table/index.ts'
import { Certificates } from './tls/certificates.ts'
import { createTlsServer } from './tls/server.ts'
import { acceptStream, acceptTransport, type Transport } from './transport.ts'
import { Backends } from './upstream/backends.ts'
import { Pools } from './upstream/pool.ts'

export interface DataPlaneOptions {
  readonly settings: EngineSettings
  /** How exact deadlines are. */
  readonly tickMs?: number
  report?(failure: FailedRequest): void
  /** A certificate of the table that cannot be used; the other hosts are not touched. */
  onBadCertificate?(id: string, message: string): void
}

/** The engine of one process: the table in compiled form, the listeners, the connections. */
export class DataPlane {
  readonly stats = new Stats()
  readonly #settings: EngineSettings
  readonly #deadlines: Deadlines
  readonly #matcher = new Matcher()
  readonly #pools: Pools
  readonly #backends: Backends
  readonly #certificates: Certificates
  readonly #context: EngineContext
  readonly #connections = new Set<ClientConnection>()
  readonly #perAddress = new Map<string, number>()
  readonly #servers: net.Server[] = []
  #onIdle: (() => void) | undefined

  constructor(options: DataPlaneOptions) {
    const { settings } = options
    this.#settings = settings
    this.#deadlines = new Deadlines(options.tickMs ?? 250)
    this.#pools = new Pools(settings, this.#deadlines)
    this.#backends = new Backends(this.#pools)
    this.#certificates = new Certificates((id, message) => options.onBadCertificate?.(id, message))
    const trusted = addressMatcher(settings.trustedProxies)
    this.#context = {
      settings,
      deadlines: this.#deadlines,
      matcher: this.#matcher,
      backends: this.#backends,
      stats: this.stats,
      policies: { of: (policy) => ({ policy, admit: () => undefined }) },
      observer: undefined,
      challengeOf: () => undefined,
      isDraining: false,
      newRequestId: requestIds(),
      isTrusted: trusted,
      certificateOf: (host) => this.#certificates.idOf(host),
      report: (failure) => options.report?.(failure),
    }
  }

  /** Serves the changed table from the next request on; requests in progress and connections are not touched. */
  update(delta: TableDelta): void {
    for (const [id, backend] of delta.backends ?? []) if (backend !== null) this.#backends.set(id, backend)
    for (const [pattern, routes] of delta.hosts ?? []) {
      if (routes === null) this.#matcher.removeHost(pattern)
      else this.#matcher.setHost(pattern, routes)
    }
    for (const [id, backend] of delta.backends ?? []) if (backend === null) this.#backends.remove(id)
    if (delta.fallback !== undefined) this.#matcher.setFallback(delta.fallback ?? undefined)
    this.#certificates.update(delta)
  }

  /** The certificate for hosts that the table has none for. */
  setBuiltInCertificate(certificate: Certificate): void {
    this.#certificates.setBuiltIn(certificate)
  }

  /** A server for plain HTTP that is not listening yet. */
  httpServer(): net.Server {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    )
    this.#servers.push(server)
    return server
  }

  /** A server for HTTPS that is not listening yet. */
  httpsServer(): net.Server {
    const server = createTlsServer({
      certificates: this.#certificates,
      handshakeTimeoutMs: this.#settings.tlsHandshakeTimeoutMs,
      onConnection: (socket, serverName) => {
        const transport = this.#admit(socket, true, serverName)
        if (transport === undefined) socket.destroy()
      },
      onError: () => this.stats.tlsErrors++,
    })
    this.#servers.push(server)
    return server
  }

  /** Takes no new connection, finishes what is in progress within the drain timeout, then closes everything. */
  async stop(): Promise<void> {
    this.#context.isDraining = true
    for (const server of this.#servers) server.close()
    for (const connection of [...this.#connections]) connection.drain()
    if (this.#connections.size > 0) await this.#drained()
    for (const connection of [...this.#connections]) connection.destroy()
    this.#pools.closeAll()
    this.#deadlines.stop()
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#settings.drainTimeoutMs)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #accept(accepted: net.Socket): void {
    if (this.#admit(accepted, false) === undefined) accepted.destroy()
  }

  #admit(accepted: net.Socket, isTlsPort: boolean, serverName?: ServerName): Transport | undefined {
    const address = plainAddress(accepted.remoteAddress)
    const { maxConnections, maxConnectionsPerAddress } = this.#settings
    const fromAddress = this.#perAddress.get(address) ?? 0
    if (this.#connections.size >= maxConnections) return undefined
    if (maxConnectionsPerAddress > 0 && fromAddress >= maxConnectionsPerAddress) return undefined
    const localPort = accepted.localPort ?? 0
    const peer: Peer = { address, isTlsPort, localPort, isTrusted: this.#context.isTrusted(address) }
    const connection = new ClientConnection(this.#context, peer, { serverName, onGone: () => this.#forget(connection, address) })
    this.#connections.add(connection)
    this.#perAddress.set(address, fromAddress + 1)
    this.stats.acceptedConnections++
    this.stats.connections++
    const accept = isTlsPort ? acceptStream : acceptTransport
    const transport = accept(accepted, () => connection)
    connection.attach(transport)
    return transport
  }

  #forget(connection: ClientConnection, address: string): void {
    if (!this.#connections.delete(connection)) return
    this.stats.connections--
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(address, left)
    else this.#perAddress.delete(address)
    if (this.#connections.size === 0) this.#onIdle?.()
  }
}

/** IPv4 clients of a dual-stack listener, without the mapped prefix. */
const plainAddress = (address: string | undefined): string => {
  const text = address ?? ''
  return text.startsWith('::ffff:') && text.includes('.') ? text.slice('::ffff:'.length) : text
}

const addressMatcher = (cidrs: readonly string[]): ((address: string) => boolean) => {
  if (cidrs.length === 0) return () => false
  const list = new net.BlockList()
  for (const cidr of cidrs) {
    const [address = '', prefix] = cidr.split('/')
    const family = net.isIPv6(address) ? 'ipv6' : 'ipv4'
    list.addSubnet(address, Number(prefix ?? (family === 'ipv6' ? 128 : 32)), family)
  }
  return (address) => net.isIP(address) !== 0 && list.check(address, net.isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** 32 hexadecimal digits: the first half of the process, the second counts. */
const requestIds = (): (() => string) => {
  const prefix = randomBytes(8).toString('hex')
  let count = 0
  return () => prefix + (++count).toString(16).padStart(16, '0')
}
