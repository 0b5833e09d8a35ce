export interface Locks {
  /** Runs `work` when nothing else with this key runs; those that wait have their turn in the order in which they came. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>
}

export const createLocks = (): Locks => {
  const tails = new Map<string, Promise<unknown>>()
  return {
    async run(key, work) {
      const before = tails.get(key) ?? Promise.resolve()
      const mine = before.then(work, work)
      const tail = mine.catch(() => undefined)
      tails.set(key, tail)
      try {
        return await mine
      } finally {
        if (tails.get(key) === tail) tails.delete(key)
      }
    },
  }
}
