import { type Clock, createBackoff, sleep } from '../../../base/index.ts'

export interface CanaryOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly intervalMs: number
  readonly look: () => Promise<void>
}

export interface Canary {
  /** Something may have happened to it: look when the dust has settled. */
  soon(): void
  /** Resolves when the signal has aborted and the last look is over. */
  readonly ended: Promise<void>
}

/** Who flushes may be about to delete chains too; who keeps on flushing gets ever slower answers, until a minute of peace. */
const SETTLE = { initialMs: 200, maxMs: 30_000, factor: 3 }
const PEACE_MS = 60_000

/** Looks again and again until the signal aborts. */
export const startCanary = ({ signal, clock, intervalMs, look }: CanaryOptions): Canary => {
  const settle = createBackoff(SETTLE)
  let askedAt = Number.NEGATIVE_INFINITY
  let wake = (): void => {}
  let isAsked = false
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const asked = new AbortController()
      wake = () => asked.abort()
      if (!isAsked) await sleep(clock, intervalMs, AbortSignal.any([signal, asked.signal]))
      if (isAsked) {
        if (clock.monotonic() - askedAt > PEACE_MS) settle.reset()
        askedAt = clock.monotonic()
        await sleep(clock, settle.next(), signal)
      }
      isAsked = false
      if (!signal.aborted) await look()
    }
  }
  return {
    soon() {
      isAsked = true
      wake()
    },
    ended: run(),
  }
}
