/** Exponential back-off: `initialMs`, doubling up to `maxMs`, each delay spread by up to `jitter` (0..1) of itself. */
export interface BackoffOptions {
  readonly initialMs: number
  readonly maxMs: number
  readonly factor?: number
  readonly jitter?: number
}

export interface Backoff {
  /** The next delay in milliseconds. */
  next(): number
  /** Start again from `initialMs`. */
  reset(): void
}

export const createBackoff = (options: BackoffOptions, random: () => number = Math.random): Backoff => {
  const { initialMs, maxMs, factor = 2, jitter = 0 } = options
  let delayMs = initialMs
  return {
    next() {
      const spread = 1 + jitter * (2 * random() - 1)
      const current = Math.min(delayMs, maxMs)
      delayMs = Math.min(delayMs * factor, maxMs)
      return Math.round(current * spread)
    },
    reset() {
      delayMs = initialMs
    },
  }
}
