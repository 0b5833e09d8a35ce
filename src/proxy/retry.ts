import { type Clock, createBackoff, sleep } from '../base/index.ts'
import type { FrontendStatus } from './backend.ts'

export interface RetrierOptions {
  /** What the backend does not carry as asked, now. */
  readonly exceptions: () => readonly FrontendStatus[]
  /** Whether telling it to the backend again may help; sockets try by themselves. */
  readonly isRefusal: (status: FrontendStatus) => boolean
  /** Tells the backend of these Forwardings again, by their keys. */
  retry(keys: readonly string[]): void
  readonly clock: Clock
}

/** Asks again for what the kernel refused, until it takes it: room may have come, or what was in the way may have gone. */
export interface Retrier {
  told(status: FrontendStatus): void
  /** Runs until `signal` aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>
}

/** Each attempt may cost a reading of all rules, so they become as rare as audits. */
const BACKOFF = { initialMs: 5_000, maxMs: 300_000, factor: 4 }

export const createRetrier = ({ exceptions, isRefusal, retry, clock }: RetrierOptions): Retrier => {
  const backoff = createBackoff(BACKOFF)
  const known = new Set<string>()
  let wake = (): void => {}
  const refused = (): readonly string[] => [
    ...new Set(
      exceptions()
        .filter(isRefusal)
        .map(({ key }) => key),
    ),
  ]
  return {
    told(status) {
      if (!isRefusal(status) || known.has(status.key)) return
      known.add(status.key)
      backoff.reset()
      wake()
    },
    async run(signal) {
      while (!signal.aborted) {
        const woken = new AbortController()
        wake = () => woken.abort()
        const keys = refused()
        for (const key of known) if (!keys.includes(key)) known.delete(key)
        // One that is refused meanwhile begins with a short pause again.
        await sleep(clock, known.size === 0 ? FOREVER_MS : backoff.next(), AbortSignal.any([signal, woken.signal]))
        if (!signal.aborted && !woken.signal.aborted) retry(refused())
      }
    },
  }
}

/** The longest that a timer takes. */
const FOREVER_MS = 2 ** 31 - 1
