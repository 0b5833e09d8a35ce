import type { Clock } from '../clock.ts'

/** A clock that moves only when a test says so. */
export interface PausedClock extends Clock {
  /** Moves time forward, firing due timers in order; lets pending promises run between them. */
  advance(ms: number): Promise<void>
}

/** A paused clock that starts at `startMs`. */
export const pausedClock = (startMs = Date.UTC(2026, 0, 1)): PausedClock => {
  let elapsed = 0
  let sequence = 0
  const timers = new Map<number, { due: number; callback: () => void }>()
  const nextDue = (until: number): [number, { due: number; callback: () => void }] | undefined =>
    [...timers].filter(([, timer]) => timer.due <= until).sort((a, b) => a[1].due - b[1].due || a[0] - b[0])[0]
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    setTimer: (callback, delayMs) => {
      const id = ++sequence
      timers.set(id, { due: elapsed + Math.max(0, delayMs), callback })
      return { cancel: () => timers.delete(id) }
    },
    async advance(ms) {
      const until = elapsed + ms
      await settle()
      for (let next = nextDue(until); next; next = nextDue(until)) {
        const [id, timer] = next
        timers.delete(id)
        elapsed = Math.max(elapsed, timer.due)
        timer.callback()
        await settle()
      }
      elapsed = until
    },
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
