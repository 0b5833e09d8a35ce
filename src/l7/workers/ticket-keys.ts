import { randomBytes } from 'node:crypto'
import type { Clock, Timer } from '../../base/index.ts'

const BYTES = 48
const ROTATION_MS = 12 * 3_600_000

/**
 * The keys of TLS session tickets, the same in every worker. They live in memory alone, so a stolen disk opens no recorded session. Node
 * holds one set: tickets of the set before are not taken after a rotation, and their clients make one full handshake.
 */
export class TicketKeys {
  current = randomBytes(BYTES)
  readonly #clock: Clock
  readonly #onRotation: (keys: Buffer) => void
  #timer: Timer | undefined

  constructor(clock: Clock, onRotation: (keys: Buffer) => void) {
    this.#clock = clock
    this.#onRotation = onRotation
  }

  start(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.current = randomBytes(BYTES)
      this.#onRotation(this.current)
      this.start()
    }, ROTATION_MS)
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
