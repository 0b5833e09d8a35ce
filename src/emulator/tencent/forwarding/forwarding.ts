import { type Clock, errorMessage, type Logger } from '../../../base/index.ts'
import { createTcpForwarder, createUdpForwarder } from '../../../l4/index.ts'
import type { StoredCertificate } from '../certificates.ts'
import type { Listener, LoadBalancer } from '../model.ts'
import type { BoundAt } from './bind.ts'
import { createChecks } from './checks.ts'
import type { Forwarding } from './contract.ts'
import { openTcp, openUdp } from './layer4.ts'
import { openLayer7 } from './layer7.ts'
import type { OpenerDeps, OpenListener } from './open-listener.ts'
import { openTcpSsl } from './tcp-ssl.ts'

export interface ForwardingOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly secondMs: number
  readonly portOffset: number
  certificate(id: string): StoredCertificate | undefined
}

/** Real sockets: layer 4 by `l4/`, layer 7 by `l7/`. */
export const createForwarding = (options: ForwardingOptions): Forwarding => new SocketForwarding(options)

class SocketForwarding implements Forwarding {
  readonly #options: ForwardingOptions
  readonly #deps: OpenerDeps
  readonly #open = new Map<string, OpenListener>()
  /** Listeners that could not be opened, and why. */
  readonly #problems = new Map<string, string>()
  readonly #served = new Map<string, LoadBalancer>()
  readonly #closing = new Set<Promise<void>>()
  #lastTurn: Promise<void> = Promise.resolve()

  constructor(options: ForwardingOptions) {
    const { clock, secondMs } = options
    this.#options = options
    this.#deps = {
      ...options,
      checks: createChecks(clock, secondMs),
      tcp: createTcpForwarder({ clock }),
      udp: createUdpForwarder({ clock }),
    }
  }

  async prepare(next: LoadBalancer): Promise<void> {
    const opened: string[] = []
    try {
      for (const listener of next.listeners) if (await this.#ensureOpen(next.vip, listener)) opened.push(listener.id)
    } catch (error) {
      await Promise.all(opened.map((id) => this.#close(id)))
      throw error
    }
  }

  /** True when it was opened by this call. */
  async #ensureOpen(vip: string, listener: Listener): Promise<boolean> {
    if (this.#open.has(listener.id)) return false
    const opened = await openListener({ address: vip, port: listener.port }, listener, this.#deps)
    if (opened === undefined) return false
    this.#open.set(listener.id, opened)
    this.#problems.delete(listener.id)
    return true
  }

  /** One after another, so that an older step never undoes a newer one. */
  apply(id: string, next: LoadBalancer | null): Promise<void> {
    const turn = this.#lastTurn.then(() => this.#follow(id, next))
    this.#lastTurn = turn.catch(() => {})
    return turn
  }

  async #follow(id: string, next: LoadBalancer | null): Promise<void> {
    const kept = new Set(next?.listeners.map((listener) => listener.id))
    const gone = this.#served.get(id)?.listeners.filter((listener) => !kept.has(listener.id)) ?? []
    for (const listener of gone) await this.#close(listener.id)
    if (next === null) return void this.#served.delete(id)
    this.#served.set(id, next)
    for (const listener of next.listeners) await this.#openOrNote(next.vip, listener)
    this.#refresh(id)
  }

  async #openOrNote(vip: string, listener: Listener): Promise<void> {
    try {
      await this.#ensureOpen(vip, listener)
    } catch (error) {
      this.#problems.set(listener.id, errorMessage(error))
      this.#options.log.warn('listener does not listen', { listener: listener.id, problem: errorMessage(error) })
    }
  }

  #refresh(id: string): void {
    const { listeners = [] } = this.#served.get(id) ?? {}
    const context = { siblings: listeners, portOf: (listenerId: string) => this.#open.get(listenerId)?.at.port }
    for (const listener of listeners) {
      this.#deps.checks.watch(listener, () => this.#refresh(id))
      this.#open.get(listener.id)?.update(listener, context)
    }
  }

  async #close(listenerId: string): Promise<void> {
    this.#deps.checks.forget(listenerId)
    this.#problems.delete(listenerId)
    const open = this.#open.get(listenerId)
    if (open === undefined) return
    this.#open.delete(listenerId)
    const closing = open.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
    // The port is free after this turn; draining goes on.
    await new Promise((resolve) => setImmediate(resolve))
  }

  healthOf: Forwarding['healthOf'] = (group, target) => this.#deps.checks.healthOf(group, target)

  listeningOf: Forwarding['listeningOf'] = (listenerId) => {
    const at: BoundAt | undefined = this.#open.get(listenerId)?.at
    if (at !== undefined) return { address: at.address, port: at.port }
    const problem = this.#problems.get(listenerId)
    return problem === undefined ? undefined : { problem }
  }

  async close(): Promise<void> {
    this.#deps.checks.close()
    await Promise.all([...this.#open.keys()].map((id) => this.#close(id)))
    await Promise.all([this.#deps.tcp.close(1_000), this.#deps.udp.close(), ...this.#closing])
  }
}

/** Undefined for QUIC, which nothing here speaks. */
const openListener = (at: BoundAt, { protocol }: Listener, deps: OpenerDeps): Promise<OpenListener> | undefined => {
  switch (protocol) {
    case 'TCP':
      return openTcp(at, deps)
    case 'UDP':
      return openUdp(at, deps)
    case 'TCP_SSL':
      return openTcpSsl(at, deps)
    case 'HTTP':
    case 'HTTPS':
      return openLayer7(at, protocol === 'HTTPS', deps)
    case 'QUIC':
      return undefined
    default:
      return protocol satisfies never
  }
}
