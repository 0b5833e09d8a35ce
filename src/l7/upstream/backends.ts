import type { Backend } from '../table/index.ts'
import { BackendState, type BackendStats } from './backend-state.ts'
import { CheckQueue } from './health/check-queue.ts'
import type { Pools } from './pool.ts'

export { BackendState, type ChoiceHint } from './backend-state.ts'

/** What metrics tell of backends. */
export interface UpstreamStats extends BackendStats {
  readonly backends: number
  /** At most so many as were asked for; those in which something is wrong first. */
  readonly perBackend: ReadonlyMap<string, BackendStats>
}

/** The backends by identifier; a change keeps the connections of the endpoints that stay. */
export class Backends {
  readonly #states = new Map<string, BackendState>()
  readonly #pools: Pools
  readonly #checks: CheckQueue

  constructor(pools: Pools) {
    this.#pools = pools
    this.#checks = new CheckQueue(pools.settings.maxConcurrentChecks)
    pools.closed.addEventListener('abort', () => this.#stop(), { once: true })
  }

  get(id: string): BackendState | undefined {
    return this.#states.get(id)
  }

  set(id: string, backend: Backend): void {
    const state = this.#states.get(id)
    if (state === undefined) this.#states.set(id, new BackendState(backend, { pools: this.#pools, checks: this.#checks }))
    else state.update(backend)
  }

  remove(id: string): void {
    this.#states.get(id)?.close()
    this.#states.delete(id)
  }

  /** Sums over all backends, and rows for `most` of them. */
  stats(most = 1_000): UpstreamStats {
    const rows = [...this.#states].map(([id, state]) => [id, state.stats()] as const)
    const sum = (field: keyof BackendStats): number => rows.reduce((total, [, row]) => total + row[field], 0)
    const isWrong = ([, { ejected, unhealthy }]: readonly [string, BackendStats]): number => (ejected + unhealthy > 0 ? 1 : 0)
    const perBackend = new Map([...rows].sort((a, b) => isWrong(b) - isWrong(a)).slice(0, most))
    return {
      backends: rows.length,
      endpoints: sum('endpoints'),
      ejected: sum('ejected'),
      unhealthy: sum('unhealthy'),
      perBackend,
    }
  }

  #stop(): void {
    this.#checks.close()
    for (const state of this.#states.values()) state.stop()
  }
}
