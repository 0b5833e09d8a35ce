/** Calls of each action within any second; a client that exceeds the limit is refused, and its refused calls don't count. */
export interface RateLimit {
  /** False: one call too many. */
  admit(action: string): boolean
}

const WINDOW_MS = 1_000

/** `monotonic` in milliseconds; a limit of 0 is none. */
export const createRateLimit = (perSecond: number, monotonic: () => number): RateLimit => {
  const recent = new Map<string, number[]>()
  return {
    admit: (action) => {
      if (perSecond === 0) return true
      const now = monotonic()
      const calls = (recent.get(action) ?? []).filter((at) => at > now - WINDOW_MS)
      const isAdmitted = calls.length < perSecond
      if (isAdmitted) calls.push(now)
      recent.set(action, calls)
      return isAdmitted
    },
  }
}
