/** What was called, for tests and benches. */
interface CallCounts {
  readonly calls: number
  /** By the code that was answered; `lost` for answers that were cut off. */
  readonly errors: Readonly<Record<string, number>>
  /** The most calls within one second by the clock. */
  readonly peakPerSecond: number
}

export interface Calls {
  count(action: string, error?: string): void
  read(): Readonly<Record<string, CallCounts>>
  reset(): void
}

interface Counter {
  calls: number
  readonly errors: Map<string, number>
  second: number
  inSecond: number
  peak: number
}

export const createCalls = (monotonic: () => number): Calls => {
  const counters = new Map<string, Counter>()
  return {
    count: (action, error) => {
      const counter = counters.get(action) ?? { calls: 0, errors: new Map(), second: 0, inSecond: 0, peak: 0 }
      counters.set(action, counter)
      const second = Math.floor(monotonic() / 1_000)
      counter.inSecond = counter.second === second ? counter.inSecond + 1 : 1
      counter.second = second
      counter.peak = Math.max(counter.peak, counter.inSecond)
      counter.calls++
      if (error !== undefined) counter.errors.set(error, (counter.errors.get(error) ?? 0) + 1)
    },
    read: () =>
      Object.fromEntries(
        [...counters].map(([action, { calls, errors, peak }]) => [
          action,
          { calls, errors: Object.fromEntries(errors), peakPerSecond: peak },
        ]),
      ),
    reset: () => counters.clear(),
  }
}
