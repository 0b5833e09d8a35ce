import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { type Clock, errorCode, realClock, type Timer } from '../base/index.ts'
import { type Client, isFamily6, type Target } from './target.ts'

export interface UdpForwarderOptions {
  readonly clock?: Clock
  /** A flow without a datagram in either direction for this long ends. */
  readonly idleMs?: number
  /** Flows of all listeners together; one more ends the one that was silent longest. */
  readonly maxFlows?: number
}

export interface UdpListen {
  readonly address: string
  readonly port: number
  /** The endpoint for a new flow; undefined drops the datagram. What it throws drops it too. */
  choose(client: Client): Target | undefined
}

export interface UdpListener {
  readonly address: string
  readonly port: number
  /** Ends the flows whose endpoint is of no use any more; the client's next datagram starts a new one. */
  endFlows(isGone: (target: Target) => boolean): void
  /** Closes the socket and its flows; from then on the system answers with port unreachable. */
  close(): Promise<void>
}

export interface UdpStatistics {
  readonly flows: number
  readonly opened: number
  readonly evicted: number
  readonly dropped: number
}

/** Forwards datagrams; a flow is one client address and port at one listener, and keeps its endpoint while it lives. */
export interface UdpForwarder {
  /** Rejects with the system's error. */
  listen(options: UdpListen): Promise<UdpListener>
  statistics(): UdpStatistics
  close(): Promise<void>
}

interface Engine {
  readonly clock: Clock
  readonly idleMs: number
  readonly maxFlows: number
  readonly listeners: Set<UdpListener>
  /** In the order of their last activity, to within {@link RESOLUTION_MS}. */
  readonly flows: Set<Flow>
  readonly counters: { opened: number; evicted: number; dropped: number }
  sweep: Timer | undefined
}

interface Flow {
  readonly target: Target
  readonly socket: Socket
  /** Datagrams that came before the socket was ready; undefined from then on. */
  waiting: Buffer[] | undefined
  lastActive: number
  readonly sent: (error: Error | null) => void
  readonly end: () => void
}

const UNREACHABLE: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'])
const RESOLUTION_MS = 1_000
const MAX_WAITING = 16

export const createUdpForwarder = (options: UdpForwarderOptions = {}): UdpForwarder => {
  const engine: Engine = {
    clock: options.clock ?? realClock,
    // As nf_conntrack_udp_timeout_stream.
    idleMs: options.idleMs ?? 120_000,
    maxFlows: options.maxFlows ?? 4_096,
    listeners: new Set(),
    flows: new Set(),
    counters: { opened: 0, evicted: 0, dropped: 0 },
    sweep: undefined,
  }
  return {
    listen: (listen) => listenOn(engine, listen),
    statistics: () => ({ ...engine.counters, flows: engine.flows.size }),
    async close() {
      await Promise.all([...engine.listeners].map((listener) => listener.close()))
      engine.sweep?.cancel()
    },
  }
}

/** Addresses are always literal: without this Node asks the resolver's code path for each datagram. */
const literal = (address: string, _options: unknown, done: (error: null, address: string, family: number) => void): void =>
  done(null, address, isFamily6(address) ? 6 : 4)

const openSocket = (address: string): Socket =>
  createSocket(isFamily6(address) ? { type: 'udp6', ipv6Only: true, lookup: literal } : { type: 'udp4', lookup: literal })

const listenOn = (engine: Engine, options: UdpListen): Promise<UdpListener> =>
  new Promise((resolve, reject) => {
    const server = openSocket(options.address)
    const flows = new Map<string, Flow>()
    server.once('error', (error) => {
      server.close()
      reject(error)
    })
    server.bind({ address: options.address, port: options.port, exclusive: true }, () => {
      server.removeAllListeners('error')
      server.on('error', ignore)
      const context: ListenContext = { engine, options, server, flows }
      server.on('message', (datagram, remote) => receive(context, datagram, remote))
      const listener: UdpListener = {
        address: options.address,
        port: server.address().port,
        endFlows: (isGone) => {
          for (const flow of flows.values()) if (isGone(flow.target)) flow.end()
        },
        close: () =>
          new Promise((closed) => {
            if (!engine.listeners.delete(listener)) return closed()
            for (const flow of flows.values()) flow.end()
            server.close(() => closed())
          }),
      }
      engine.listeners.add(listener)
      resolve(listener)
    })
  })

interface ListenContext {
  readonly engine: Engine
  readonly options: UdpListen
  readonly server: Socket
  readonly flows: Map<string, Flow>
}

/** Errors of single datagrams (no buffer, no route) lose the datagram, as networks do. */
const ignore = (): void => {}

const receive = (context: ListenContext, datagram: Buffer, remote: RemoteInfo): void => {
  const key = `${remote.address} ${remote.port}`
  const flow = context.flows.get(key) ?? openFlow(context, remote, key)
  if (flow === undefined) {
    context.engine.counters.dropped++
    return
  }
  touch(context.engine, flow)
  if (flow.waiting === undefined) flow.socket.send(datagram, flow.sent)
  else if (flow.waiting.length < MAX_WAITING) flow.waiting.push(datagram)
  else context.engine.counters.dropped++
}

const touch = (engine: Engine, flow: Flow): void => {
  const now = engine.clock.monotonic()
  if (now - flow.lastActive < RESOLUTION_MS || !engine.flows.has(flow)) return
  flow.lastActive = now
  engine.flows.delete(flow)
  engine.flows.add(flow)
}

const openFlow = (context: ListenContext, remote: RemoteInfo, key: string): Flow | undefined => {
  const { engine, options, server, flows } = context
  const target = chooseSafely(options, remote)
  if (target === undefined) return undefined
  if (engine.flows.size >= engine.maxFlows) evictOldest(engine)
  const socket = openSocket(target.address)
  const flow: Flow = {
    target,
    socket,
    waiting: [],
    lastActive: engine.clock.monotonic(),
    sent: (error) => {
      if (error !== null && UNREACHABLE.has(errorCode(error) ?? '')) flow.end()
    },
    end: () => {
      if (!engine.flows.delete(flow)) return
      flows.delete(key)
      socket.close()
    },
  }
  flows.set(key, flow)
  engine.flows.add(flow)
  engine.counters.opened++
  scheduleSweep(engine)
  // Port unreachable arrives as an error of whichever call comes next, send or receive: the next datagram may go to another endpoint.
  socket.on('error', flow.end)
  socket.on('message', (reply) => {
    touch(engine, flow)
    if (engine.flows.has(flow)) server.send(reply, remote.port, remote.address, ignore)
  })
  socket.once('connect', () => {
    for (const datagram of flow.waiting ?? []) socket.send(datagram, flow.sent)
    flow.waiting = undefined
  })
  socket.connect(target.port, target.address)
  return flow
}

const chooseSafely = (options: UdpListen, remote: RemoteInfo): Target | undefined => {
  try {
    return options.choose({ address: remote.address, port: remote.port, localAddress: options.address, localPort: options.port })
  } catch {
    return undefined
  }
}

const evictOldest = (engine: Engine): void => {
  const [oldest] = engine.flows
  if (oldest === undefined) return
  engine.counters.evicted++
  oldest.end()
}

/** One timer for all flows, set for the one that ends first, and none while there is no flow. */
const scheduleSweep = (engine: Engine): void => {
  const [oldest] = engine.flows
  if (engine.sweep !== undefined || oldest === undefined) return
  const dueMs = Math.max(oldest.lastActive + engine.idleMs - engine.clock.monotonic(), 0)
  engine.sweep = engine.clock.setTimer(() => {
    engine.sweep = undefined
    const now = engine.clock.monotonic()
    for (const flow of engine.flows) {
      if (now - flow.lastActive < engine.idleMs) break
      flow.end()
    }
    scheduleSweep(engine)
  }, dueMs)
}
