import { type Clock, sleep } from '../../../../base/index.ts'

export interface RateLimits {
  /** Calls a second of each action. */
  readonly perSecond: number
  /** Of single actions, by name. */
  readonly byAction?: Readonly<Record<string, number>>
}

export interface RateLimiter {
  /** Resolves when a call of `action` may go out, first come, first served. */
  take(action: string, signal: AbortSignal): Promise<void>
  /** Resolves when a call of `action` could go out at once; takes nothing. */
  free(action: string, signal: AbortSignal): Promise<void>
  /** The API said that it was too much: no call of `action` for so long. */
  pause(action: string, ms: number): void
}

/** On the way calls come closer together than they were sent. */
const MARGIN = 1.03

/** Evenly spaced calls, so that no second has more than its share, wherever it begins. */
export const createRateLimiter = ({ perSecond, byAction = {} }: RateLimits, clock: Clock): RateLimiter => {
  const nextAt = new Map<string, number>()
  return {
    async take(action, signal) {
      const gapMs = (1_000 / (byAction[action] ?? perSecond)) * MARGIN
      const now = clock.monotonic()
      const at = Math.max(now, nextAt.get(action) ?? 0)
      nextAt.set(action, at + gapMs)
      if (at > now) await sleep(clock, at - now, signal)
      signal.throwIfAborted()
    },
    async free(action, signal) {
      const now = clock.monotonic()
      const at = nextAt.get(action) ?? 0
      if (at > now) await sleep(clock, at - now, signal)
    },
    pause(action, ms) {
      nextAt.set(action, Math.max(nextAt.get(action) ?? 0, clock.monotonic() + ms))
    },
  }
}
