const DECAY_MS = 10_000
/** What a failure counts as, at least: a pod that fails fast must not look fast. */
const FAILURE_MS = 1_000
/** An endpoint with a request in progress and no answer yet costs more than any that has answered. */
const UNKNOWN = Number.MAX_SAFE_INTEGER

/**
 * The recent latency of an endpoint as Finagle's peak EWMA has it: a slower answer counts at once and whole, faster ones draw it down over
 * 10 s, and so does silence. (An average that decays with time, not with the number of answers.)
 */
export class Latency {
  #averageMs = 0
  #atMs = 0

  observe(latencyMs: number, isFailure: boolean, nowMs: number): void {
    const observedMs = isFailure ? Math.max(latencyMs, FAILURE_MS, this.#averageMs) : latencyMs
    if (observedMs >= this.#averageMs) this.#averageMs = observedMs
    else {
      const share = this.#kept(nowMs)
      this.#averageMs = this.#averageMs * share + observedMs * (1 - share)
    }
    this.#atMs = nowMs
  }

  /** Lower is better: the latency times the requests that one more would make. A new endpoint costs nothing until its first request. */
  cost(active: number, nowMs: number): number {
    if (this.#averageMs === 0) return active === 0 ? 0 : UNKNOWN + active
    return this.#averageMs * this.#kept(nowMs) * (active + 1)
  }

  #kept(nowMs: number): number {
    return nowMs <= this.#atMs ? 1 : Math.exp((this.#atMs - nowMs) / DECAY_MS)
  }
}
