/** Numbers for Service ports and endpoints with session affinity: from a hash, so that they are the same after a restart and remembered clients stay. */
export interface Numbers {
  of(name: string): number
  release(name: string): void
  names(): Iterable<string>
}

export const createNumbers = (hash: (text: string) => number = fnv1a): Numbers => {
  const byName = new Map<string, number>()
  const taken = new Set<number>()
  return {
    of(name) {
      const known = byName.get(name)
      if (known !== undefined) return known
      let number = hash(name)
      while (taken.has(number) || RESERVED.has(number)) number = (number + 1) >>> 0
      byName.set(name, number)
      taken.add(number)
      return number
    },
    release(name) {
      const number = byName.get(name)
      if (number === undefined) return
      byName.delete(name)
      taken.delete(number)
    },
    names: () => byName.keys(),
  }
}

/** 0 means no mark; the others are class ids that nft prints as `none` and `root`. */
const RESERVED: ReadonlySet<number> = new Set([0, 0xffff_ffff])

/** FNV-1a of 32 bits. */
const fnv1a = (text: string): number => {
  let hash = 0x811c_9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
  return hash >>> 0
}

/** A number as nft writes a value of type `classid`. */
export const classId = (number: number): string => `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`
