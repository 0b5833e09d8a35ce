import { hashText, mix } from './hash.ts'

export interface RingItem {
  readonly id: string
  /** Points in proportion to it; none for 0. */
  readonly weight: number
}

/** More make shares more equal and the ring larger: with 160, the busiest of a hundred equal endpoints has about 1.2 times its share. */
const POINTS = 160
const MOST_POINTS = 262_144

/**
 * Consistent hashing (ketama): each item owns points of a ring, a key belongs to the next point's owner. Of n items, one that goes gives away
 * its keys and no other key moves; one that comes takes 1/n of the keys. A lookup is O(log n). Items that may not be used now are passed
 * over, so their keys, and only theirs, go to the others until they return.
 */
export class HashRing<T extends RingItem> {
  readonly #items: readonly T[]
  readonly #points: Uint32Array
  readonly #owners: Uint32Array
  /** Items found by `after`; used again. */
  readonly #found: T[] = []

  constructor(items: readonly T[]) {
    this.#items = items
    const places = placesOf(items)
    this.#points = new Uint32Array(places.length)
    this.#owners = new Uint32Array(places.length)
    for (let i = 0; i < places.length; i++) {
      const place = places[i] ?? 0
      const point = Math.floor(place / OWNERS)
      this.#points[i] = point
      this.#owners[i] = place - point * OWNERS
    }
  }

  /** The first item after the key's place that may be used. */
  find(key: string, mayUse: (item: T) => boolean): T | undefined {
    return this.findSome(key, 1, mayUse)[0]
  }

  /** Up to `count` different items after the key's place that may be used; valid until the next call. */
  findSome(key: string, count: number, mayUse: (item: T) => boolean): readonly T[] {
    const found = this.#found
    found.length = 0
    const { length } = this.#points
    const most = Math.min(count, this.#items.length)
    const from = this.#after(hashText(key))
    for (let i = 0; i < length && found.length < most; i++) {
      const item = this.#items[this.#owners[(from + i) % length] ?? 0]
      if (item !== undefined && mayUse(item) && !found.includes(item)) found.push(item)
    }
    return found
  }

  #after(place: number): number {
    const points = this.#points
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((points[middle] ?? 0) < place) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A place is a point and its owner in one number, 32 and 21 bits, which sorts fast. */
const OWNERS = 2 ** 21

const placesOf = (items: readonly RingItem[]): Float64Array => {
  const perWeight = pointsPerWeight(items)
  const counts = items.map(({ weight }) => (weight === 0 ? 0 : Math.max(1, Math.round(perWeight * weight))))
  const places = new Float64Array(counts.reduce((sum, count) => sum + count, 0))
  let at = 0
  items.forEach(({ id }, owner) => {
    const seed = hashText(id)
    const step = hashText(id, 1) | 1
    const end = at + (counts[owner] ?? 0)
    for (let i = 0; at < end; i++) places[at++] = mix((seed + Math.imul(i, step)) | 0) * OWNERS + owner
  })
  return places.sort()
}

/** Halved until the ring is not too large: it then moves keys only when the sum of the weights doubles. */
const pointsPerWeight = (items: readonly RingItem[]): number => {
  const first = items[0]?.weight ?? 1
  const areEqual = items.every(({ weight }) => weight === first)
  const sum = items.reduce((total, { weight }) => total + weight, 0)
  let points = areEqual && first > 0 ? POINTS / first : POINTS
  while (points * sum > MOST_POINTS) points /= 2
  return points
}
