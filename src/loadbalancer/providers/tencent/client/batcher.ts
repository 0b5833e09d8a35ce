/** Gathers what is asked for one by one into calls for many. */
export interface Batcher<V> {
  /** What there is for `key`, read after this was called. Rejects with what the call for all rejected with, or when `signal` aborts before. */
  load(key: string, signal: AbortSignal): Promise<V | undefined>
}

export interface BatcherOptions<V> {
  /** Keys of one call at most. */
  readonly max: number
  /** Resolves when a call may go out; what was asked for until then goes with it. */
  readonly turn: () => Promise<void>
  /** What there is, by key. */
  readonly run: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>
}

interface Waiting<V> {
  readonly key: string
  readonly resolve: (value: V | undefined) => void
  readonly reject: (error: unknown) => void
}

export const createBatcher = <V>({ max, turn, run }: BatcherOptions<V>): Batcher<V> => {
  let waiting: Waiting<V>[] = []
  let isGoing = false
  const go = async (): Promise<void> => {
    while (waiting.length > 0) {
      await turn()
      const keys = [...new Set(waiting.map(({ key }) => key))].slice(0, max)
      const mine = waiting.filter(({ key }) => keys.includes(key))
      waiting = waiting.filter(({ key }) => !keys.includes(key))
      // The next call does not wait for this one's answer.
      void answer(mine, keys, run)
    }
    isGoing = false
  }
  return {
    load(key, signal) {
      if (signal.aborted) return Promise.reject(signal.reason)
      return new Promise((resolve, reject) => {
        const abort = (): void => reject(signal.reason)
        signal.addEventListener('abort', abort, { once: true })
        const settled =
          <T>(settle: (result: T) => void) =>
          (result: T): void => {
            signal.removeEventListener('abort', abort)
            settle(result)
          }
        waiting.push({ key, resolve: settled(resolve), reject: settled(reject) })
        if (isGoing) return
        isGoing = true
        void go()
      })
    },
  }
}

const answer = async <V>(
  waiting: readonly Waiting<V>[],
  keys: readonly string[],
  run: BatcherOptions<V>['run'],
): Promise<void> => {
  try {
    const found = await run(keys)
    for (const { key, resolve } of waiting) resolve(found.get(key))
  } catch (error) {
    for (const { reject } of waiting) reject(error)
  }
}
