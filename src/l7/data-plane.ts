import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { realClock } from '../base/index.ts'
import { addressMatcher, plainAddress } from './addresses.ts'
import type { EngineContext, FailedRequest } from './context.ts'
import { Deadlines } from './deadlines.ts'
import { ClientConnection, type ServerName } from './http1/client-connection.ts'
import type { Peer } from './http1/forwarded.ts'
import { ClientSession } from './http2/client-session.ts'
import { lazyOutsideClient, type OutsideClient, Policies } from './policy/index.ts'
import { acceptProxied, type ProxiedAddresses } from './proxy-protocol/index.ts'
import type { EngineSettings } from './settings.ts'
import { type EngineStats, Stats } from './stats.ts'
import { type Certificate, Matcher, type TableDelta, type Target } from './table/index.ts'
import { Telemetry } from './telemetry/index.ts'
import { Certificates } from './tls/certificates.ts'
import { servedWith, TlsListener } from './tls/listener.ts'
import { splice } from './tls/passthrough.ts'
import { ServerNames } from './tls/server-names.ts'
import { acceptStream, acceptTransport } from './transport.ts'
import { Backends } from './upstream/backends.ts'
import { Pools } from './upstream/pool.ts'

export interface DataPlaneOptions {
  readonly settings: EngineSettings
  /** Workers of the engine: each gets its share of every rate limit. */
  readonly workers?: number
  /** How exact deadlines are. */
  readonly tickMs?: number
  report?(failure: FailedRequest): void
  /** A certificate of the table that cannot be used; the other hosts are not touched. */
  onBadCertificate?(id: string, message: string): void
}

export interface ListenOptions {
  /** Every connection begins with a PROXY header; those of peers outside `proxyProtocolPeers` are closed. */
  readonly proxyProtocol?: boolean
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
  readonly #serverNames = new ServerNames()
  readonly #challenges = new Map<string, string>()
  readonly #isProxyPeer: (address: string) => boolean
  readonly #telemetry: Telemetry
  readonly #outside: OutsideClient
  readonly #policies: Policies
  readonly #context: EngineContext
  readonly #connections = new Set<ClientConnection | ClientSession>()
  /** Clients whose bytes go to a pod as they are. */
  readonly #spliced = new Set<net.Socket>()
  readonly #perAddress = new Map<string, number>()
  readonly #servers: net.Server[] = []
  readonly #tlsListeners: TlsListener[] = []
  #ticketKeys: Buffer | undefined
  #onIdle: (() => void) | undefined

  constructor(options: DataPlaneOptions) {
    const { settings } = options
    this.#settings = settings
    this.#telemetry = new Telemetry(settings.telemetry)
    this.#outside = lazyOutsideClient({ ...settings, clock: realClock })
    this.#policies = new Policies({ clock: realClock, workers: options.workers ?? 1, outside: this.#outside })
    this.#deadlines = new Deadlines(options.tickMs ?? 250)
    this.#pools = new Pools(settings, this.#deadlines)
    this.#backends = new Backends(this.#pools)
    this.#certificates = new Certificates(settings, (id, message) => options.onBadCertificate?.(id, message))
    this.#isProxyPeer = addressMatcher(settings.proxyProtocolPeers)
    this.#context = {
      settings,
      deadlines: this.#deadlines,
      matcher: this.#matcher,
      backends: this.#backends,
      stats: this.stats,
      policies: this.#policies,
      outside: this.#outside,
      observer: this.#telemetry,
      challengeOf: (path) => this.#challengeOf(path),
      isDraining: false,
      newRequestId: requestIds(),
      isTrusted: addressMatcher(settings.trustedProxies),
      certificateOf: (host) => servedWith(this.#certificates.idOf(host), this.#serverNames.clientAuthOf(host)),
      clientAuthOf: (host) => this.#serverNames.clientAuthOf(host),
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
    for (const [token, answer] of delta.challenges ?? []) {
      if (answer === null) this.#challenges.delete(token)
      else this.#challenges.set(token, answer)
    }
    this.#serverNames.update(delta)
    this.#certificates.update(delta)
    if (delta.certificates ?? delta.tlsHosts ?? delta.clientAuth ?? delta.passthrough) this.#refreshListeners()
  }

  snapshot(): EngineStats {
    const routes = this.#telemetry.routes()
    const { droppedLogLines, droppedSpans } = this.#telemetry
    return this.stats.snapshot({ routes, droppedLogLines, droppedSpans })
  }

  /** The certificate for hosts that the table has none for. */
  setBuiltInCertificate(certificate: Certificate): void {
    this.#certificates.setBuiltIn(certificate)
    this.#refreshListeners()
  }

  /** 48 secret bytes that the engine's workers share, so that a TLS session begun with one is resumed by another. */
  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys
    for (const listener of this.#tlsListeners) listener.setTicketKeys(keys)
  }

  /** A server for plain HTTP that is not listening yet. */
  httpServer(options: ListenOptions = {}): net.Server {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
      if (options.proxyProtocol) this.#readProxied(socket, (proxied) => this.#acceptProxied(socket, proxied))
      else if (!this.#admit(socket, { isTlsPort: false, accept: acceptTransport })) socket.destroy()
    })
    this.#servers.push(server)
    return server
  }

  /** A server for HTTPS that is not listening yet. */
  httpsServer(options: ListenOptions = {}): net.Server {
    const proxied = new WeakMap<net.Socket, ProxiedAddresses>()
    const listener = new TlsListener({
      certificates: this.#certificates,
      serverNames: this.#serverNames,
      settings: this.#settings,
      protocols: ['h2', 'http/1.1'],
      ...(options.proxyProtocol && {
        before: (accepted, next) =>
          this.#readProxied(accepted, (addresses) => {
            if (addresses !== undefined) proxied.set(accepted, addresses)
            next()
          }),
      }),
      onConnection: ({ socket, accepted, certificate, client }) => {
        const about = {
          isTlsPort: true,
          serverName: { certificate, client },
          proxied: proxied.get(accepted),
          accept: acceptStream,
        }
        const isAdmitted = socket.alpnProtocol === 'h2' ? this.#admitHttp2(socket, about) : this.#admit(socket, about)
        if (!isAdmitted) socket.destroy()
      },
      onPassthrough: (accepted, target) => this.#passThrough(accepted, target),
      onError: () => this.stats.tlsErrors++,
      onGone: () => this.#noteIdle(),
    })
    if (this.#ticketKeys !== undefined) listener.setTicketKeys(this.#ticketKeys)
    this.#tlsListeners.push(listener)
    this.#servers.push(listener.server)
    return listener.server
  }

  /**
   * Takes no new connection, finishes what is in progress within the drain timeout, then closes everything. Idle connections may still bring
   * a request for a moment: one that is on its way would be lost otherwise.
   */
  async stop(): Promise<void> {
    this.#context.isDraining = true
    for (const server of this.#servers) server.close()
    const { drainIdleMs, drainTimeoutMs } = this.#settings
    const grace = Math.min(drainIdleMs, drainTimeoutMs / 2)
    await this.#idleWithin(grace)
    for (const connection of [...this.#connections]) connection.drain()
    for (const listener of this.#tlsListeners) listener.dropPending()
    await this.#idleWithin(drainTimeoutMs - grace)
    for (const connection of [...this.#connections]) connection.destroy()
    for (const socket of [...this.#spliced]) socket.destroy()
    this.#pools.closeAll()
    this.#deadlines.stop()
    await Promise.all([this.#telemetry.close(), this.#policies.close(), this.#outside.close()])
  }

  /** Connections, those whose handshake is not done included. */
  get load(): number {
    let load = this.#connections.size + this.#spliced.size
    for (const { pending } of this.#tlsListeners) load += pending
    return load
  }

  #noteIdle(): void {
    if (this.#onIdle !== undefined && this.load === 0) this.#onIdle()
  }

  #idleWithin(timeoutMs: number): Promise<void> {
    if (this.load === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #refreshListeners(): void {
    for (const listener of this.#tlsListeners) listener.refresh()
  }

  #challengeOf(path: string): string | undefined {
    return path.startsWith(CHALLENGE) ? this.#challenges.get(path.slice(CHALLENGE.length)) : undefined
  }

  #readProxied(accepted: net.Socket, done: (addresses: ProxiedAddresses | undefined) => void): void {
    if (this.#isProxyPeer(plainAddress(accepted.remoteAddress)))
      acceptProxied(accepted, { timeoutMs: this.#settings.proxyProtocolTimeoutMs, done })
    else accepted.destroy()
  }

  #acceptProxied(accepted: net.Socket, proxied: ProxiedAddresses | undefined): void {
    // What follows the header may have been read already, so the socket's own buffer is read on.
    if (!this.#admit(accepted, { isTlsPort: false, proxied, accept: acceptStream })) accepted.destroy()
  }

  #passThrough(accepted: net.Socket, target: Target): void {
    const endpoint = this.#backends.get(target.backend)?.choose()?.endpoint
    const { maxConnections, connectTimeoutMs, tunnelTimeoutMs } = this.#settings
    if (endpoint === undefined || this.#connections.size + this.#spliced.size >= maxConnections) {
      this.stats.countFailure('passthrough-unavailable')
      accepted.destroy()
      return
    }
    this.#spliced.add(accepted)
    this.stats.acceptedConnections++
    this.stats.connections++
    this.stats.tunnels++
    splice(accepted, endpoint, { connectTimeoutMs, idleTimeoutMs: tunnelTimeoutMs }, () => {
      this.#spliced.delete(accepted)
      this.stats.connections--
      this.#noteIdle()
    })
  }

  /** False: there are too many connections. */
  #admit(accepted: net.Socket, about: Accepted): boolean {
    const peer = this.#peerOf(accepted, about)
    if (peer === undefined) return false
    const { serverName, accept } = about
    const onGone = (): void => this.#forget(connection, peer.address)
    const connection = new ClientConnection(this.#context, peer, { serverName, onGone })
    this.#enter(connection, peer.address)
    connection.attach(accept(accepted, () => connection))
    return true
  }

  #admitHttp2(socket: net.Socket, about: Accepted): boolean {
    const peer = this.#peerOf(socket, about)
    if (peer === undefined) return false
    const onGone = (): void => this.#forget(session, peer.address)
    const session = new ClientSession(this.#context, socket, { peer, serverName: about.serverName, onGone })
    this.#enter(session, peer.address)
    return true
  }

  /** Undefined when no more connections are taken, at all or from there. */
  #peerOf(accepted: net.Socket, { isTlsPort, proxied }: Accepted): Peer | undefined {
    const address = proxied?.source ?? plainAddress(accepted.remoteAddress)
    const { maxConnections, maxConnectionsPerAddress } = this.#settings
    if (this.#connections.size + this.#spliced.size >= maxConnections) return undefined
    if (maxConnectionsPerAddress > 0 && (this.#perAddress.get(address) ?? 0) >= maxConnectionsPerAddress) return undefined
    const localPort = proxied?.destinationPort ?? accepted.localPort ?? 0
    return { address, isTlsPort, localPort, isTrusted: this.#context.isTrusted(address) }
  }

  #enter(connection: ClientConnection | ClientSession, address: string): void {
    this.#connections.add(connection)
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    this.stats.acceptedConnections++
    this.stats.connections++
  }

  #forget(connection: ClientConnection | ClientSession, address: string): void {
    if (!this.#connections.delete(connection)) return
    this.stats.connections--
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(address, left)
    else this.#perAddress.delete(address)
    this.#noteIdle()
  }
}

/** A connection that may carry requests. */
interface Accepted {
  readonly isTlsPort: boolean
  readonly serverName?: ServerName
  /** What the PROXY header said. */
  readonly proxied?: ProxiedAddresses | undefined
  readonly accept: typeof acceptTransport
}

const CHALLENGE = '/.well-known/acme-challenge/'

/** 32 hexadecimal digits: the first half of the process, the second counts. */
const requestIds = (): (() => string) => {
  const prefix = randomBytes(8).toString('hex')
  let count = 0
  return () => prefix + (++count).toString(16).padStart(16, '0')
}
