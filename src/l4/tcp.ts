import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Clock, realClock } from '../base/index.ts'
import { answersTo, relay } from './relay.ts'
import { type Client, plainAddress, type Target } from './target.ts'

export interface TcpForwarderOptions {
  readonly clock?: Clock
  /** How long one endpoint may take to accept before the next one is tried. */
  readonly connectTimeoutMs?: number
  /** Endpoints tried for one client before it is refused. */
  readonly maxAttempts?: number
  /** Connections of all listeners together; one more is reset. */
  readonly maxConnections?: number
}

export interface TcpListen {
  readonly address: string
  readonly port: number
  readonly backlog?: number
  /**
   * The endpoint for a new connection; undefined refuses it with a reset. Called again, with what was tried, while no endpoint has
   * accepted: nothing was sent by then, so another try is safe. What it throws refuses the connection.
   */
  choose(client: Client, tried: readonly Target[]): Target | undefined
  /**
   * Reads what stands before a client's own bytes, such as a PROXY header, and tells who the client is; it gives back what it does not use, and destroys the socket
   * to refuse. Without it the peer is the client.
   */
  introduce?(socket: Socket, peer: Client, done: (client: Client) => void): void
  /** What an endpoint gets before the client's bytes. */
  greet?(client: Client): string | undefined
}

export interface TcpListener {
  /** As bound: the port is real where 0 was asked for. */
  readonly address: string
  readonly port: number
  /** Stops accepting; established connections go on. Resolves when the port is free. */
  close(): Promise<void>
}

export interface TcpStatistics {
  readonly accepted: number
  /** Reset because `choose` named nobody. */
  readonly refused: number
  /** Reset because no endpoint accepted. */
  readonly unreachable: number
  /** Reset because `maxConnections` were open. */
  readonly overLimit: number
  readonly active: number
  /** Of ended connections. */
  readonly bytesFromClients: number
  readonly bytesToClients: number
}

/**
 * Forwards TCP connections; knows nothing of Kubernetes. One forwarder serves any number of listeners that share its limits.
 * A connection, once established, depends on nothing but its two sockets: it survives changes of what `choose` answers.
 */
export interface TcpForwarder {
  /** Rejects with the system's error (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, ...). */
  listen(options: TcpListen): Promise<TcpListener>
  statistics(): TcpStatistics
  /** Closes every listener, waits up to `drainMs` for connections to end, resets the rest. */
  close(drainMs: number): Promise<void>
}

interface Counters {
  accepted: number
  refused: number
  unreachable: number
  overLimit: number
  bytesFromClients: number
  bytesToClients: number
}

interface Engine {
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly maxAttempts: number
  readonly maxConnections: number
  readonly servers: Set<Server>
  /** Clients with their endpoint's socket, undefined while none has accepted. */
  readonly connections: Map<Socket, Socket | undefined>
  readonly counters: Counters
  onIdle: () => void
  closed: boolean
}

export const createTcpForwarder = (options: TcpForwarderOptions = {}): TcpForwarder => {
  const engine: Engine = {
    clock: options.clock ?? realClock,
    connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
    maxAttempts: options.maxAttempts ?? 3,
    maxConnections: options.maxConnections ?? 16_384,
    servers: new Set(),
    connections: new Map(),
    counters: { accepted: 0, refused: 0, unreachable: 0, overLimit: 0, bytesFromClients: 0, bytesToClients: 0 },
    onIdle: () => {},
    closed: false,
  }
  return {
    listen: (listen) => listenOn(engine, listen),
    statistics: () => ({ ...engine.counters, active: engine.connections.size }),
    close: (drainMs) => closeEngine(engine, drainMs),
  }
}

const listenOn = (engine: Engine, options: TcpListen): Promise<TcpListener> =>
  new Promise((resolve, reject) => {
    if (engine.closed) return reject(new Error('the forwarder is closed'))
    // Keep-alive finds peers that vanished: nobody else would, as both sides may be silent for days.
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    })
    server.once('error', reject)
    server.listen({ host: options.address, port: options.port, backlog: options.backlog ?? 511, exclusive: true }, () => {
      server.off('error', reject)
      // Running out of descriptors shows here: the waiting client stays in the backlog and is accepted later.
      server.on('error', () => {})
      engine.servers.add(server)
      const bound = server.address()
      const port = typeof bound === 'object' && bound !== null ? bound.port : options.port
      resolve({ address: options.address, port, close: () => closeServer(engine, server) })
    })
    server.on('connection', (client: Socket) => accept(engine, options, client))
  })

const closeServer = (engine: Engine, server: Server): Promise<void> =>
  new Promise((resolve) => {
    engine.servers.delete(server)
    // The callback of close() waits for connections to end; the port is free as soon as the handle is closed, which is at once.
    server.close()
    setImmediate(resolve)
  })

const accept = (engine: Engine, options: TcpListen, client: Socket): void => {
  client.on('error', ignore)
  if (engine.connections.size >= engine.maxConnections) {
    engine.counters.overLimit++
    client.resetAndDestroy()
    return
  }
  engine.counters.accepted++
  engine.connections.set(client, undefined)
  client.once('close', () => {
    engine.counters.bytesFromClients += client.bytesRead
    engine.counters.bytesToClients += client.bytesWritten
    engine.connections.delete(client)
    if (engine.connections.size === 0) engine.onIdle()
  })
  const peer = peerOf(client, options)
  if (options.introduce === undefined) attempt(engine, { options, client, peer }, [])
  else options.introduce(client, peer, (introduced) => attempt(engine, { options, client, peer: introduced }, []))
}

/** A failed socket also emits `close`, where everything is done. */
const ignore = (): void => {}

const peerOf = (client: Socket, options: TcpListen): Client => ({
  address: plainAddress(client.remoteAddress ?? ''),
  port: client.remotePort ?? 0,
  localAddress: client.localAddress === undefined ? options.address : plainAddress(client.localAddress),
  localPort: client.localPort ?? options.port,
})

interface Attempt {
  readonly options: TcpListen
  readonly client: Socket
  readonly peer: Client
}

const attempt = (engine: Engine, trial: Attempt, tried: readonly Target[]): void => {
  const { client } = trial
  if (client.destroyed) return
  const target = tried.length < engine.maxAttempts ? chooseSafely(trial, tried) : undefined
  if (target === undefined) {
    if (tried.length > 0) engine.counters.unreachable++
    else engine.counters.refused++
    client.resetAndDestroy()
    return
  }
  const upstream = connect({
    host: target.address,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    autoSelectFamily: false,
    onread: answersTo(client),
  })
  engine.connections.set(client, upstream)
  const deadline = engine.clock.setTimer(() => upstream.destroy(), engine.connectTimeoutMs)
  const abandon = (): void => void upstream.destroy()
  const failed = (): void => {
    deadline.cancel()
    client.off('close', abandon)
    attempt(engine, trial, [...tried, target])
  }
  upstream.on('error', ignore)
  upstream.once('close', failed)
  client.once('close', abandon)
  upstream.once('connect', () => {
    deadline.cancel()
    upstream.off('close', failed)
    client.off('close', abandon)
    const greeting = trial.options.greet?.(trial.peer)
    if (greeting !== undefined) upstream.write(greeting, 'latin1')
    relay(client, upstream)
  })
}

const chooseSafely = ({ options, peer }: Attempt, tried: readonly Target[]): Target | undefined => {
  try {
    return options.choose(peer, tried)
  } catch {
    return undefined
  }
}

const closeEngine = async (engine: Engine, drainMs: number): Promise<void> => {
  engine.closed = true
  await Promise.all([...engine.servers].map((server) => closeServer(engine, server)))
  if (engine.connections.size === 0) return
  const idle = new Promise<void>((resolve) => {
    engine.onIdle = resolve
  })
  const deadline = engine.clock.setTimer(() => {
    for (const [client, upstream] of engine.connections) {
      client.resetAndDestroy()
      upstream?.resetAndDestroy()
    }
  }, drainMs)
  await idle
  deadline.cancel()
}
