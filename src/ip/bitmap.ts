/**
 * A set of taken offsets in `[0, size)`, kept in pages that exist only where something was taken: an allocator's memory.
 * `size` may be up to 2^53 - 1, so that a large IPv6 range costs no more than what is used of it.
 */
export class Bitmap {
  readonly size: number
  readonly #pages = new Map<number, Page>()
  #count = 0

  constructor(size: number) {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`bitmap size ${size} is not a safe non-negative integer`)
    this.size = size
  }

  /** How many offsets are taken. */
  get count(): number {
    return this.#count
  }

  has(offset: number): boolean {
    this.#check(offset)
    const page = this.#pages.get(Math.floor(offset / PAGE_BITS))
    return page !== undefined && isSet(page, offset % PAGE_BITS)
  }

  /** Takes an offset; false when it was taken already. */
  add(offset: number): boolean {
    this.#check(offset)
    const index = Math.floor(offset / PAGE_BITS)
    const page = this.#pages.get(index) ?? { words: new Uint32Array(PAGE_WORDS), count: 0 }
    const bit = offset % PAGE_BITS
    if (isSet(page, bit)) return false
    this.#pages.set(index, page)
    page.words[bit >>> 5] = (page.words[bit >>> 5] ?? 0) | (1 << (bit & 31))
    page.count++
    this.#count++
    return true
  }

  /** Gives an offset back; false when it was free already. */
  delete(offset: number): boolean {
    this.#check(offset)
    const index = Math.floor(offset / PAGE_BITS)
    const page = this.#pages.get(index)
    const bit = offset % PAGE_BITS
    if (page === undefined || !isSet(page, bit)) return false
    page.words[bit >>> 5] = (page.words[bit >>> 5] ?? 0) & ~(1 << (bit & 31))
    page.count--
    this.#count--
    if (page.count === 0) this.#pages.delete(index)
    return true
  }

  /**
   * The first free offset at or after `from` in `[low, high)`, going on from `low` when the end is reached;
   * undefined when all of them are taken.
   */
  findFree(from: number, low: number, high: number): number | undefined {
    const start = from < low || from >= high ? low : from
    return this.#firstFree(start, high) ?? this.#firstFree(low, start)
  }

  /** The taken offsets in order. */
  *[Symbol.iterator](): Generator<number> {
    for (const index of [...this.#pages.keys()].sort((a, b) => a - b)) {
      const page = this.#pages.get(index)
      if (page === undefined) continue
      for (let bit = 0; bit < PAGE_BITS; bit++) if (isSet(page, bit)) yield index * PAGE_BITS + bit
    }
  }

  #firstFree(low: number, high: number): number | undefined {
    const end = Math.min(high, this.size)
    let offset = Math.max(low, 0)
    while (offset < end) {
      const index = Math.floor(offset / PAGE_BITS)
      const page = this.#pages.get(index)
      if (page === undefined) return offset
      const bit = page.count === PAGE_BITS ? PAGE_BITS : firstClear(page, offset % PAGE_BITS)
      offset = index * PAGE_BITS + bit
      if (bit < PAGE_BITS) return offset < end ? offset : undefined
    }
    return undefined
  }

  #check(offset: number): void {
    if (!Number.isInteger(offset) || offset < 0 || offset >= this.size) {
      throw new RangeError(`offset ${offset} is outside of [0, ${this.size})`)
    }
  }
}

const PAGE_WORDS = 128
const PAGE_BITS = PAGE_WORDS * 32

interface Page {
  readonly words: Uint32Array
  count: number
}

const isSet = (page: Page, bit: number): boolean => (((page.words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1

/** The first clear bit at or after `from`, or the page's size. */
const firstClear = (page: Page, from: number): number => {
  let bit = from
  while (bit < PAGE_BITS) {
    const free = ~((page.words[bit >>> 5] ?? 0) >>> (bit & 31)) >>> 0
    const left = 32 - (bit & 31)
    const step = free === 0 ? 32 : 31 - Math.clz32(free & -free)
    if (step < left) return bit + step
    bit += left
  }
  return PAGE_BITS
}
