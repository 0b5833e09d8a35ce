import { setMaxListeners } from 'node:events'
import type { Clock, Logger } from '../../base/index.ts'
import { openAccount } from './account.ts'
import { ChallengeBoard } from './challenge-board.ts'
import { OrderRecords } from './order-records.ts'
import type { SecretStore } from './secret-store.ts'
import { type AcmeServer, openServer } from './server/index.ts'

/** The ACME server that was told, and who we are there. */
export interface ServerSettings {
  /** Of its directory. */
  readonly url: string
  readonly email?: string
  /** PEM of the authorities that its certificate is checked against; the system's when left out. */
  readonly ca?: string
}

export interface TermOptions {
  readonly store: SecretStore
  readonly server: ServerSettings
  readonly clock: Clock
  readonly log: Logger
}

/** What one leader knows while it leads; nothing of it outlives the term. */
export class Term {
  readonly board: ChallengeBoard
  readonly #options: TermOptions
  readonly #end = new AbortController()
  #records: Promise<OrderRecords> | undefined
  #server: Promise<AcmeServer> | undefined

  constructor(options: TermOptions) {
    this.#options = options
    this.board = new ChallengeBoard(options.store)
    // Every request and wait of the term listens.
    setMaxListeners(0, this.#end.signal)
  }

  /** Aborts when the term ends. */
  get signal(): AbortSignal {
    return this.#end.signal
  }

  end(): void {
    this.#end.abort()
  }

  /** Read when they are first asked for; a failure is not remembered. */
  records(): Promise<OrderRecords> {
    this.#records ??= OrderRecords.load(this.#options.store).catch((error: unknown) => {
      this.#records = undefined
      throw error
    })
    return this.#records
  }

  /** Of records that others may have changed. */
  forget(): void {
    this.#records = undefined
  }

  /** Opened with the first certificate that is due, so that nothing is asked of a server without a reason. */
  server(): Promise<AcmeServer> {
    this.#server ??= this.#open().catch((error: unknown) => {
      this.#server = undefined
      throw error
    })
    return this.#server
  }

  async #open(): Promise<AcmeServer> {
    const { store, server, clock, log } = this.#options
    const account = await openAccount(store, server.url)
    const opened = await openServer({ ...server, account, signal: this.signal, nowMs: () => clock.now() })
    log.info('this process issues certificates', { server: server.url })
    return opened
  }
}
