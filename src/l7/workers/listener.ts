import type net from 'node:net'

const BACKLOG = 511

/** A server that accepts by turns: after `turn` connections it closes its copy of the handle and waits for the next one. */
export class Listener {
  readonly #server: net.Server
  #left = 0
  #isStopped = false

  constructor(server: net.Server, onTurnOver: () => void) {
    this.#server = server
    server.on('connection', () => {
      if (--this.#left !== 0) return
      // What still waits in the kernel's queue is for whoever listens next.
      server.close()
      onTurnOver()
    })
  }

  /** `handle` is a bound one that the supervisor sent; a `turn` of 0 has no end. */
  listen(handle: unknown, turn: number): void {
    if (this.#isStopped || this.#server.listening) return
    this.#left = turn
    this.#server.listen(handle as net.Server, BACKLOG)
  }

  stop(): void {
    this.#isStopped = true
  }
}
