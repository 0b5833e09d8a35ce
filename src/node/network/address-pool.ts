import { UserError } from '../../base/index.ts'
import { addressAt, Bitmap, type CIDR, cidrSize, formatAddress, offsetIn, parseAddress, parseCIDR } from '../../ip/index.ts'

/** The addresses of a pod CIDR, handed out in turn. */
export class AddressPool {
  readonly #cidr: CIDR
  readonly #taken: Bitmap
  readonly #size: number
  /** Where the search starts: a freed address rests until the rest of the range was used. */
  #next = 1

  /** Reserves the first and the last address of the range and those in `reserved`. */
  constructor(cidr: string, reserved: readonly string[]) {
    const parsed = parseCIDR(cidr)
    if (parsed === undefined) throw new UserError(`pod CIDR ${cidr} is not a CIDR such as 10.244.0.0/24`)
    this.#cidr = parsed
    const size = cidrSize(parsed)
    this.#size = size > MAX_SIZE ? Number(MAX_SIZE) : Number(size)
    if (this.#size < MIN_SIZE) throw new UserError(`pod CIDR ${cidr} is too small; it needs at least ${MIN_SIZE} addresses`)
    this.#taken = new Bitmap(this.#size)
    this.#taken.add(0)
    this.#taken.add(this.#size - 1)
    for (const address of reserved) {
      const offset = this.#offsetOf(address)
      if (offset !== undefined) this.#taken.add(offset)
    }
  }

  /** Takes the preferred address, or the next free one; undefined when all are taken. */
  take(preferred?: string): string | undefined {
    const wanted = preferred === undefined ? undefined : this.#offsetOf(preferred)
    if (wanted !== undefined && this.#taken.add(wanted)) return preferred
    const offset = this.#taken.findFree(this.#next, 0, this.#size)
    if (offset === undefined) return undefined
    this.#taken.add(offset)
    this.#next = offset + 1
    const address = addressAt(this.#cidr, offset)
    return address && formatAddress(address)
  }

  release(address: string): void {
    const offset = this.#offsetOf(address)
    if (offset !== undefined) this.#taken.delete(offset)
  }

  /** The address' place in the range: unique among pods, and short. */
  indexOf(address: string): number {
    const offset = this.#offsetOf(address)
    if (offset === undefined) throw new Error(`${address} is not in the pod CIDR`)
    return offset
  }

  get prefix(): number {
    return this.#cidr.prefix
  }

  #offsetOf(text: string): number | undefined {
    const address = parseAddress(text)
    const offset = address && offsetIn(this.#cidr, address)
    return offset === undefined || offset >= BigInt(this.#size) ? undefined : Number(offset)
  }
}

const MAX_SIZE = 1n << 24n
/** First, last, the node's, one pod's. */
const MIN_SIZE = 4
