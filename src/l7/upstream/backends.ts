import type { Backend } from '../table/index.ts'
import type { EndpointPool, Pools } from './pool.ts'

/** What a request asks of the choice of its endpoint. */
export interface ChoiceHint {
  /** Endpoint that the client's cookie asks for. */
  readonly wanted?: string | undefined
  /** Requests with the same key go to the same endpoint. */
  readonly hashKey?: string | undefined
  readonly hashSubset?: number | undefined
  /** Endpoints that this request has tried. */
  readonly tried?: readonly EndpointPool[] | undefined
}

/** A backend in service: its endpoints' pools and whose turn it is. */
export class BackendState {
  readonly unavailable: string | undefined
  readonly #pools: readonly EndpointPool[]
  readonly #leastRequests: boolean
  #next: number

  constructor(backend: Backend, pools: readonly EndpointPool[]) {
    this.unavailable = backend.unavailable
    this.#pools = pools
    this.#leastRequests = backend.balance === 'least-requests'
    // Workers and restarts must not all begin at the first endpoint.
    this.#next = Math.floor(Math.random() * Math.max(1, pools.length))
  }

  get size(): number {
    return this.#pools.length
  }

  get pools(): readonly EndpointPool[] {
    return this.#pools
  }

  /** One more retry fits the budget. */
  mayRetry(): boolean {
    return true
  }

  /** The endpoint of the next request; undefined when there is none. */
  choose(_hint?: ChoiceHint): EndpointPool | undefined {
    const pools = this.#pools
    if (this.#next >= pools.length) this.#next = 0
    const first = pools[this.#next++]
    if (!this.#leastRequests || first === undefined) return first
    let best = first
    for (let i = 1; i < pools.length; i++) {
      const other = pools[(this.#next - 1 + i) % pools.length]
      if (other !== undefined && other.active < best.active) best = other
    }
    return best
  }
}

/** The backends by identifier; a change keeps the connections of the endpoints that stay. */
export class Backends {
  readonly #states = new Map<string, BackendState>()
  readonly #pools: Pools

  constructor(pools: Pools) {
    this.#pools = pools
  }

  get(id: string): BackendState | undefined {
    return this.#states.get(id)
  }

  set(id: string, backend: Backend): void {
    const previous = this.#states.get(id)
    this.#states.set(
      id,
      new BackendState(
        backend,
        backend.endpoints.map((endpoint) => this.#pools.acquire(endpoint)),
      ),
    )
    this.#release(previous)
  }

  remove(id: string): void {
    const previous = this.#states.get(id)
    this.#states.delete(id)
    this.#release(previous)
  }

  #release(state: BackendState | undefined): void {
    for (const pool of state?.pools ?? []) this.#pools.release(pool)
  }
}
