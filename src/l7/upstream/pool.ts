import type { Deadlines } from '../deadlines.ts'
import type { EngineSettings } from '../settings.ts'
import type { Endpoint } from '../table/index.ts'
import { UpstreamConnection, type UpstreamOwner } from './connection.ts'
import type { UpstreamUser } from './stream.ts'

/** Connections to one endpoint; the most recently used is used first, so that surplus ones age and close. */
export class EndpointPool implements UpstreamOwner {
  readonly endpoint: Endpoint
  readonly id: string
  readonly settings: EngineSettings
  readonly deadlines: Deadlines
  /** Backends that use this endpoint. */
  references = 0
  /** Connections that carry a request. */
  active = 0
  readonly #idle: UpstreamConnection[] = []
  readonly #all = new Set<UpstreamConnection>()

  constructor(endpoint: Endpoint, settings: EngineSettings, deadlines: Deadlines) {
    this.endpoint = endpoint
    this.id = `${endpoint.address} ${endpoint.port}`
    this.settings = settings
    this.deadlines = deadlines
  }

  /** An idle connection in use by `user`, or undefined. */
  takeIdle(user: UpstreamUser): UpstreamConnection | undefined {
    const connection = this.#idle.pop()
    if (connection === undefined) return undefined
    connection.take(user)
    this.active++
    return connection
  }

  /** A new connection; `user` hears when it is connected. */
  connect(user: UpstreamUser): UpstreamConnection {
    this.active++
    const connection = new UpstreamConnection(this, this.endpoint, user)
    this.#all.add(connection)
    return connection
  }

  /** One try at this endpoint has ended. */
  onOutcome(_outcome: 'ok' | 'bad' | 'failed', _latencyMs: number): void {}

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
  closeIdle(): void {
    for (const connection of [...this.#idle]) connection.abandon()
  }

  closeAll(): void {
    for (const connection of [...this.#all]) connection.abandon()
  }
}

/** One pool for each address and port, shared by the backends that name it. */
export class Pools {
  readonly #pools = new Map<string, EndpointPool>()
  readonly #retired = new Set<EndpointPool>()
  readonly #settings: EngineSettings
  readonly #deadlines: Deadlines

  constructor(settings: EngineSettings, deadlines: Deadlines) {
    this.#settings = settings
    this.#deadlines = deadlines
  }

  acquire(endpoint: Endpoint): EndpointPool {
    const key = `${endpoint.address} ${endpoint.port}`
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = new EndpointPool(endpoint, this.#settings, this.#deadlines)
      this.#pools.set(key, pool)
    }
    pool.references++
    return pool
  }

  release(pool: EndpointPool): void {
    if (--pool.references > 0) return
    this.#pools.delete(`${pool.endpoint.address} ${pool.endpoint.port}`)
    pool.closeIdle()
    for (const retired of this.#retired) if (retired.active === 0) this.#retired.delete(retired)
    if (pool.active > 0) this.#retired.add(pool)
  }

  closeAll(): void {
    for (const pool of [...this.#pools.values(), ...this.#retired]) pool.closeAll()
  }
}
