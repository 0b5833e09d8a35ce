/**
 * State of client addresses in bounded memory: two generations of at most `size` entries. When the young one is full the old one is
 * forgotten, so what was used lately stays and what goes had not been used for a whole generation.
 */
export class AddressTable<T> {
  readonly #size: number
  #young = new Map<string, T>()
  #old = new Map<string, T>()

  constructor(size: number) {
    this.#size = size
  }

  get count(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): T | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) {
      this.#old.delete(key)
      this.set(key, old)
    }
    return old
  }

  set(key: string, value: T): void {
    if (this.#young.size >= this.#size && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
