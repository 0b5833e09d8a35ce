/** Numbers of Service ports: small, kept as long as the port is there, and given again as late as can be. */
export interface Ids {
  /** The number of a name; a new one gets `preferred` when that is free. */
  of(name: string, preferred?: number): number
  /** The name no longer needs its number. Nobody gets it before {@link Ids.settle}: it may still be in the kernel. */
  release(name: string): void
  settle(): void
}

export const createIds = (): Ids => {
  const numbers = new Map<string, number>()
  const taken = new Set<number>()
  const releasing: number[] = []
  /** In the order in which they became free: a program that runs at this moment may still look at the last ones. */
  let free: number[] = []
  let nextFree = 0
  let fresh = 0
  const next = (): number => {
    for (; nextFree < free.length; nextFree++) {
      const number = free[nextFree]
      if (number !== undefined && !taken.has(number)) {
        nextFree++
        return number
      }
    }
    free = []
    nextFree = 0
    while (taken.has(fresh)) fresh++
    return fresh++
  }
  return {
    of(name, preferred) {
      const known = numbers.get(name)
      if (known !== undefined) return known
      const number = preferred !== undefined && !taken.has(preferred) ? preferred : next()
      numbers.set(name, number)
      taken.add(number)
      return number
    },
    release(name) {
      const number = numbers.get(name)
      if (number === undefined) return
      numbers.delete(name)
      releasing.push(number)
    },
    settle() {
      for (const number of releasing.splice(0)) {
        taken.delete(number)
        free.push(number)
      }
    },
  }
}
