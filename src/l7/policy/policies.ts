import type { Clock } from '../../base/index.ts'
import type { RoutePolicy } from '../table/index.ts'
import { Hasher } from './basic-auth/hasher.ts'
import { type CompileOptions, compilePolicy } from './compile.ts'
import type { CompiledPolicy } from './contract.ts'
import { Limiter } from './limits/limits.ts'
import type { OutsideClient } from './outside/contract.ts'
import { refusal } from './own-answers.ts'

export interface PolicyDeps {
  readonly clock: Clock
  /** Workers of this instance: each gets its share of every rate limit. */
  readonly workers: number
  /** Closed by whoever made it. */
  readonly outside: OutsideClient
  /** 0 to below 1; `Math.random` when left out. */
  readonly random?: () => number
}

/** The policies of a worker, each compiled when a request first comes to its route and kept while the table holds it. */
export class Policies {
  readonly #options: CompileOptions
  readonly #compiled = new WeakMap<RoutePolicy, CompiledPolicy>()

  constructor({ clock, workers, outside, random = Math.random }: PolicyDeps) {
    const monotonic = (): number => clock.monotonic()
    this.#options = {
      monotonic,
      now: () => clock.now(),
      random,
      outside,
      hasher: new Hasher(),
      limiter: new Limiter({ monotonic, workers: Math.max(1, workers) }),
    }
  }

  /** Never throws: what cannot be carried out lets nobody through (503 `policy-invalid`). */
  of(policy: RoutePolicy): CompiledPolicy {
    const known = this.#compiled.get(policy)
    if (known !== undefined) return known
    const compiled = this.#compile(policy)
    this.#compiled.set(policy, compiled)
    return compiled
  }

  /** Ends the thread that compares passwords. */
  close(): Promise<void> {
    return this.#options.hasher.close()
  }

  #compile(policy: RoutePolicy): CompiledPolicy {
    try {
      return compilePolicy(policy, this.#options)
    } catch {
      const invalid = refusal(503, 'policy-invalid')
      return { policy, admit: () => invalid }
    }
  }
}
