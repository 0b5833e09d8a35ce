/** Why an attempt came to nothing: nobody answered; the server has had enough of us; it looked and said no. */
export type FailureKind = 'unreachable' | 'rate-limited' | 'refused'

/** How often each happened since the last certificate. */
export interface Failures {
  readonly refused: number
  readonly others: number
}

export const noFailures: Failures = { refused: 0, others: 0 }

export const counted = ({ refused, others }: Failures, kind: FailureKind): Failures =>
  kind === 'refused' ? { refused: refused + 1, others: 0 } : { refused, others: others + 1 }

export interface BackoffTiming {
  readonly firstMs: number
  readonly factor: number
  readonly mostMs: number
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/**
 * A validation that failed costs one of the five that Let's Encrypt allows for a host in an hour; after 5, 15 and 45 minutes it is never more than four. One that nobody
 * answered costs nothing.
 */
export const defaultBackoff: Readonly<Record<FailureKind, BackoffTiming>> = {
  unreachable: { firstMs: 30_000, factor: 2, mostMs: HOUR },
  'rate-limited': { firstMs: 30 * MINUTE, factor: 2, mostMs: 24 * HOUR },
  refused: { firstMs: 5 * MINUTE, factor: 3, mostMs: 24 * HOUR },
}

export interface BackoffInput {
  readonly kind: FailureKind
  /** This one is counted already. */
  readonly failures: Failures
  /** What the server asked for. */
  readonly retryAfterMs?: number
  readonly timing?: typeof defaultBackoff
  /** From 0 to 1. */
  readonly random: number
}

const JITTER = 0.2
/** A server that asks for more is not believed. */
const MOST_RETRY_AFTER_MS = 7 * 24 * HOUR

/** How long to wait: never less than the server asked for, and up to a fifth longer, so that not all come at once. */
export const delayAfter = ({ kind, failures, retryAfterMs = 0, timing = defaultBackoff, random }: BackoffInput): number => {
  const { firstMs, factor, mostMs } = timing[kind]
  const count = kind === 'refused' ? failures.refused : failures.others
  const ownMs = Math.min(firstMs * factor ** Math.min(Math.max(count - 1, 0), 64), mostMs)
  return Math.round(Math.max(ownMs, Math.min(retryAfterMs, MOST_RETRY_AFTER_MS)) * (1 + JITTER * random))
}
