import type { Deadlines } from '../deadlines.ts'
import type { EngineSettings } from '../settings.ts'
import type { Endpoint } from '../table/index.ts'
import { Latency } from './balance/latency.ts'
import { UpstreamConnection, type UpstreamOwner } from './connection.ts'
import { type Dial, endpointId } from './dial.ts'
import { Ejection, type Outcome } from './health/ejection.ts'
import { PodSessions } from './http2/pod-sessions.ts'
import type { UpstreamStream, UpstreamUser } from './stream.ts'
import { TlsDialer } from './tls-dialer.ts'

/** A backend that is told when what is known of an endpoint changes whether it may have requests. */
export interface StandingWatcher {
  onStanding(): void
}

/** One endpoint: connections to it, the most recently used first, so that surplus ones age and close; and how its requests ended. */
export class EndpointPool implements UpstreamOwner {
  /** 16 hexadecimal digits of the address and port. */
  readonly id: string
  readonly endpoint: Endpoint
  readonly dial: Dial
  readonly settings: EngineSettings
  readonly deadlines: Deadlines
  readonly ejection: Ejection
  readonly watchers = new Set<StandingWatcher>()
  /** Backends that use this endpoint. */
  references = 0
  /** Requests in progress, those that wait for their connection included. */
  active = 0
  #latency: Latency | undefined
  readonly #idle: UpstreamConnection[] = []
  readonly #all = new Set<UpstreamConnection>()
  /** There when the pods speak HTTP/2. */
  readonly #sessions: PodSessions | undefined
  readonly #tls: TlsDialer | undefined

  constructor(endpoint: Endpoint, dial: Dial, { settings, deadlines }: Pools) {
    this.id = endpointId(endpoint)
    this.endpoint = endpoint
    this.dial = dial
    this.settings = settings
    this.deadlines = deadlines
    const { protocol } = dial
    if (protocol === 'https') this.#tls = new TlsDialer(endpoint, dial, 'http/1.1')
    else if (protocol === 'h2') this.#tls = new TlsDialer(endpoint, dial, 'h2')
    if (protocol === 'h2' || protocol === 'h2c')
      this.#sessions = new PodSessions({ endpoint, settings, deadlines, tls: this.#tls, onStreamDone: () => this.active-- })
    this.ejection = new Ejection(settings, deadlines, () => {
      for (const watcher of this.watchers) watcher.onStanding()
    })
  }

  /** Measured from when a backend first asks for it. */
  get latency(): Latency {
    this.#latency ??= new Latency()
    return this.#latency
  }

  /** One attempt ended; `latencyMs` up to the answer's head. Not for a stale connection's end, nor when the client went away. */
  onOutcome(outcome: Outcome, latencyMs: number): void {
    this.#latency?.observe(latencyMs, outcome !== 'ok', this.deadlines.nowMs)
    this.ejection.observe(outcome)
  }

  /** A connection that is there, in use by `user`; or undefined. */
  takeIdle(user: UpstreamUser): UpstreamStream | undefined {
    if (this.#sessions !== undefined) {
      const stream = this.#sessions.takeOpen(user)
      if (stream !== undefined) this.active++
      return stream
    }
    const connection = this.#idle.pop()
    if (connection === undefined) return undefined
    connection.take(user)
    this.active++
    return connection
  }

  /** A new connection; `user` hears when it is connected. */
  connect(user: UpstreamUser): UpstreamStream {
    this.active++
    if (this.#sessions !== undefined) return this.#sessions.connect(user)
    const { address, port } = this.endpoint
    const connection = new UpstreamConnection(this, { address, port, tls: this.#tls }, user)
    this.#all.add(connection)
    return connection
  }

  onIdle(connection: UpstreamConnection): void {
    this.active--
    if (this.references === 0 || this.#idle.length >= this.settings.maxIdlePerEndpoint) {
      this.active++
      connection.abandon()
      return
    }
    connection.deadlineMs = this.deadlines.after(this.settings.upstreamIdleTimeoutMs)
    this.#idle.push(connection)
  }

  onClosed(connection: UpstreamConnection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at === -1) this.active--
    else this.#idle.splice(at, 1)
  }

  /** Requests in progress finish; idle connections close. */
  retire(): void {
    this.ejection.stop()
    this.#sessions?.retire()
    for (const connection of [...this.#idle]) connection.abandon()
  }

  closeAll(): void {
    this.#sessions?.closeAll()
    for (const connection of [...this.#all]) connection.abandon()
  }
}

/** One pool for each address and port and each way to connect, shared by the backends that name it. */
export class Pools {
  readonly settings: EngineSettings
  readonly deadlines: Deadlines
  readonly #pools = new Map<string, EndpointPool>()
  readonly #retired = new Set<EndpointPool>()
  readonly #closed = new AbortController()

  constructor(settings: EngineSettings, deadlines: Deadlines) {
    this.settings = settings
    this.deadlines = deadlines
  }

  /** Aborted by `closeAll`. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  acquire(endpoint: Endpoint, dial: Dial): EndpointPool {
    const key = keyOf(endpoint, dial)
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = new EndpointPool(endpoint, dial, this)
      this.#pools.set(key, pool)
    }
    pool.references++
    return pool
  }

  release(pool: EndpointPool): void {
    if (--pool.references > 0) return
    this.#pools.delete(keyOf(pool.endpoint, pool.dial))
    pool.retire()
    for (const retired of this.#retired) if (retired.active === 0) this.#retired.delete(retired)
    if (pool.active > 0) this.#retired.add(pool)
  }

  closeAll(): void {
    this.#closed.abort()
    for (const pool of [...this.#pools.values(), ...this.#retired]) pool.closeAll()
  }
}

const keyOf = ({ address, port }: Endpoint, { key }: Dial): string => `${address} ${port} ${key}`
