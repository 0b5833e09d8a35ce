import type * as acme from 'acme-client'
import { errorMessage } from '../../../base/index.ts'
import type { AcmeServer, Authorization, Challenge, Order } from './contract.ts'
import { AcmeFailure, readProblem } from './failure.ts'
import { type Journey, sendToServer, travelling } from './transport.ts'

export interface ServerOptions extends Journey {
  /** The directory's URL. */
  readonly url: string
  readonly email?: string
  readonly account: Account
}

/** What there is of the account. */
export interface Account {
  /** PEM; never logged. */
  readonly key: string
  readonly url: string | undefined
  /** Keeps the URL that the server gave it. */
  save(url: string): Promise<void>
}

/**
 * A server, and our account with it: made when it has none for our key; the same key never gets a second one. Reads nothing when the account is known.
 */
export const openServer = async (options: ServerOptions): Promise<AcmeServer> => {
  // Only those who ask for certificates pay for this library.
  const library = await import('acme-client')
  library.axios.defaults.adapter = sendToServer
  const session = new Session(options, library)
  if (options.account.url === undefined) await session.register()
  return session
}

type Library = Pick<typeof acme, 'Client' | 'crypto'>

/** A nonce that was bad five times in a row is bad luck. */
const TRIES = 3

class Session implements AcmeServer {
  readonly #options: ServerOptions
  readonly #library: Library
  #client: acme.Client
  /** The library wants to see its own objects again. */
  readonly #orders = new Map<string, acme.Order>()

  constructor(options: ServerOptions, library: Library) {
    this.#options = options
    this.#library = library
    this.#client = this.#newClient(options.account.url)
  }

  async register(): Promise<void> {
    const { email, account } = this.#options
    this.#client = this.#newClient(undefined)
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] }
    await this.#ask(() => this.#client.createAccount({ termsOfServiceAgreed: true, ...contact }))
    await account.save(this.#client.getAccountUrl())
  }

  async newOrder(hosts: readonly string[]): Promise<Order> {
    const identifiers = hosts.map((value) => ({ type: 'dns', value }))
    try {
      return this.#seen(await this.#ask(() => this.#client.createOrder({ identifiers })))
    } catch (error) {
      if (!isUnknownAccount(error)) throw error
      // The server forgot us, or was set up anew.
      await this.register()
      return this.#seen(await this.#ask(() => this.#client.createOrder({ identifiers })))
    }
  }

  async order(url: string): Promise<Order> {
    // Of an order that is read only its URL is needed.
    return this.#seen(await this.#ask(() => this.#client.getOrder({ url } as acme.Order)))
  }

  async authorizations(order: Order): Promise<readonly Authorization[]> {
    const found = await this.#ask(() => this.#client.getAuthorizations(this.#known(order)))
    return Promise.all(found.map((each) => this.#authorization(each)))
  }

  async accept({ url, token }: Challenge): Promise<void> {
    await this.#ask(() => this.#client.completeChallenge({ type: 'http-01', url, token, status: 'pending' }))
  }

  async finalize(order: Order, { hosts, key }: { readonly hosts: readonly string[]; readonly key: string }): Promise<Order> {
    const [, csr] = await this.#library.crypto.createCsr({ altNames: [...hosts] }, key)
    return this.#seen(await this.#ask(() => this.#client.finalizeOrder(this.#known(order), csr)))
  }

  async chain(order: Order): Promise<string> {
    const chain: unknown = await this.#ask(() => this.#client.getCertificate(this.#known(order)))
    if (typeof chain !== 'string') throw new AcmeFailure('unreachable', 'the ACME server sent no certificate')
    return chain
  }

  async #authorization({ identifier, status, challenges }: acme.Authorization): Promise<Authorization> {
    const offered = challenges.find(({ type }) => type === 'http-01')
    const challenge = offered && {
      url: offered.url,
      token: offered.token,
      status: offered.status,
      keyAuthorization: await this.#client.getChallengeKeyAuthorization(offered),
      problem: offered.error && readProblem(offered.error),
    }
    return { host: identifier.value, status, challenge }
  }

  #newClient(accountUrl: string | undefined): acme.Client {
    const { url, account } = this.#options
    const known = accountUrl === undefined ? {} : { accountUrl }
    return new this.#library.Client({ directoryUrl: url, accountKey: account.key, ...known })
  }

  #seen(order: acme.Order): Order {
    this.#orders.set(order.url, order)
    return { url: order.url, status: order.status, problem: order.error && readProblem(order.error) }
  }

  #known({ url }: Order): acme.Order {
    const order = this.#orders.get(url)
    if (order === undefined) throw new Error(`order ${url} was not read before`)
    return order
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await travelling(this.#options, question)
      } catch (error) {
        if (error instanceof AcmeFailure || this.#options.signal.aborted) throw error
        if (attempt === TRIES) throw new AcmeFailure('unreachable', `the ACME server: ${errorMessage(error)}`)
      }
    }
  }
}

const isUnknownAccount = (error: unknown): boolean => error instanceof AcmeFailure && error.type === 'accountDoesNotExist'
