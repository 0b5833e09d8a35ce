import { type Clock, createBackoff, errorMessage, type Logger, sleep } from '../base/index.ts'
import type { Drift } from './backend.ts'

export interface AuditorOptions {
  /** Between two audits, spread by a quarter; 0 audits only after a foreign change. */
  readonly intervalMs: number
  audit(call: AuditCall): Promise<AuditAttempt>
  report(outcome: AuditOutcome): void
  readonly clock: Clock
  readonly log: Logger
  readonly random?: () => number
}

export interface AuditCall {
  /** A sync that comes meanwhile cuts it short. */
  readonly givesWay: boolean
  readonly signal: AbortSignal
}

export type AuditAttempt =
  /** A sync is in work or owed. */
  | { readonly kind: 'busy' }
  /** Not all was looked at; `drift` was repaired. */
  | { readonly kind: 'cut short'; readonly drift: readonly Drift[] }
  | { readonly kind: 'whole'; readonly drift: readonly Drift[] }

export interface AuditOutcome {
  readonly result: 'clean' | 'repaired' | 'failed'
  readonly drift: readonly Drift[]
  readonly seconds: number
}

/** Compares the world with the intent at a slow pace, and soon after somebody else touched it. */
export interface Auditor {
  /** Somebody else changed something: audit when the dust has settled. */
  soon(): void
  /** Runs until `signal` aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>
}

export const DEFAULT_AUDIT_INTERVAL_MS = 300_000

/** A flush and a reload come in bursts; who keeps on fighting us for the same rules gets slower and slower answers. */
const SETTLE = { initialMs: 200, maxMs: 30_000, factor: 3 }
const FIGHT_ENDS_AFTER_MS = 60_000
const GIVE_WAY_MS = 100
/** Where changes come faster than the world can be read, the sixth attempt is let go to its end: what others broke must be found there too. */
const MOST_CUTS = 5

export const createAuditor = (options: AuditorOptions): Auditor => {
  const { intervalMs, clock, report, random = Math.random } = options
  const settle = createBackoff(SETTLE, random)
  let isAsked = false
  let wake = (): void => {}
  const untilDue = async (signal: AbortSignal): Promise<void> => {
    if (isAsked) return
    const asked = new AbortController()
    wake = () => asked.abort()
    const delayMs = intervalMs > 0 ? intervalMs * (0.75 + random() / 2) : FOREVER_MS
    await sleep(clock, delayMs, AbortSignal.any([signal, asked.signal]))
  }
  return {
    soon() {
      isAsked = true
      wake()
    },
    async run(signal) {
      let lastAskedAt = Number.NEGATIVE_INFINITY
      while (!signal.aborted) {
        await untilDue(signal)
        if (isAsked) {
          if (clock.monotonic() - lastAskedAt > FIGHT_ENDS_AFTER_MS) settle.reset()
          await sleep(clock, settle.next(), signal)
          lastAskedAt = clock.monotonic()
        }
        isAsked = false
        const outcome = await auditOnce(options, signal)
        if (outcome === undefined) return
        if (outcome.result === 'clean') settle.reset()
        // Nobody knows what is in the world then.
        if (outcome.result === 'failed') isAsked = true
        report(outcome)
      }
    },
  }
}

/** The longest that a timer takes. */
const FOREVER_MS = 2 ** 31 - 1

/** Undefined when it was stopped before. */
const auditOnce = async ({ audit, clock, log }: AuditorOptions, signal: AbortSignal): Promise<AuditOutcome | undefined> => {
  const drift: Drift[] = []
  for (let cuts = 0; !signal.aborted; ) {
    const startedAt = clock.monotonic()
    const outcome = (result: AuditOutcome['result']): AuditOutcome => ({
      result,
      drift,
      seconds: (clock.monotonic() - startedAt) / 1_000,
    })
    try {
      const attempt = await audit({ givesWay: cuts < MOST_CUTS, signal })
      if (attempt.kind !== 'busy') drift.push(...attempt.drift)
      if (attempt.kind === 'whole') return outcome(drift.length === 0 ? 'clean' : 'repaired')
      if (attempt.kind === 'cut short') cuts++
      await sleep(clock, GIVE_WAY_MS * 2 ** cuts, signal)
    } catch (error) {
      log.warn('audit failed', { error: errorMessage(error) })
      return outcome('failed')
    }
  }
  return undefined
}
