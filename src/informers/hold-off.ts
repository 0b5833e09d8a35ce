import type { Clock, Timer } from '../base/index.ts'

/** Gathers bursts of the same key: fires after a quiet time, but never later than the ceiling after the first touch. */
export interface HoldOff {
  touch(key: string): void
  /** Forgets what is pending. */
  cancel(): void
}

export interface HoldOffOptions {
  readonly clock: Clock
  readonly holdOffMs: number
  readonly ceilingMs: number
  fire(key: string): void
}

/** @example createHoldOff({ clock, holdOffMs: 20, ceilingMs: 200, fire: queue.add }) */
export const createHoldOff = ({ clock, holdOffMs, ceilingMs, fire }: HoldOffOptions): HoldOff => {
  interface Pending {
    readonly firstAt: number
    lastAt: number
    timer: Timer
  }
  const pending = new Map<string, Pending>()
  const dueIn = (entry: Pending): number => Math.min(entry.lastAt + holdOffMs, entry.firstAt + ceilingMs) - clock.monotonic()
  const check = (key: string): void => {
    const entry = pending.get(key)
    if (!entry) return
    const leftMs = dueIn(entry)
    if (leftMs > 0) {
      entry.timer = clock.setTimer(() => check(key), leftMs)
      return
    }
    pending.delete(key)
    fire(key)
  }
  return {
    touch(key) {
      const now = clock.monotonic()
      const entry = pending.get(key)
      // The timer is not moved at each touch: it looks again when it fires.
      if (entry) entry.lastAt = now
      else
        pending.set(key, { firstAt: now, lastAt: now, timer: clock.setTimer(() => check(key), Math.min(holdOffMs, ceilingMs)) })
    },
    cancel() {
      for (const { timer } of pending.values()) timer.cancel()
      pending.clear()
    },
  }
}
