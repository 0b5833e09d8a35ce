import { type Clock, sleep } from '../../../base/index.ts'

export interface CanaryOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly intervalMs: number
  readonly look: () => Promise<void>
}

/** Looks again and again until the signal aborts; resolves then, when the last look is over. */
export const startCanary = async ({ signal, clock, intervalMs, look }: CanaryOptions): Promise<void> => {
  while (!signal.aborted) {
    await sleep(clock, intervalMs, signal)
    if (!signal.aborted) await look()
  }
}
