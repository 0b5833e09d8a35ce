import type { Secret } from '../../api/index.ts'
import { type Clock, type Component, type Logger, type Running, sleep } from '../../base/index.ts'
import type { Client, EventRecorder, Leadership } from '../../client/index.ts'
import {
  createHoldOff,
  createWorkQueue,
  DONE,
  type Outcome,
  type ReferencedInformer,
  runController,
} from '../../informers/index.ts'
import type { Engine } from '../../l7/index.ts'
import { keyOf } from '../routes/index.ts'
import { defaultBackoff } from './backoff.ts'
import { CertificateSync } from './certificate-sync.ts'
import { ChallengeMirror } from './challenge-mirror.ts'
import { type ClaimedHosts, type WantedCertificate, wantedCertificates } from './desired.ts'
import type { Place } from './names.ts'
import { type BudgetTiming, defaultOrderBudget, OrderBudget } from './order-budget.ts'
import { defaultFlowTiming, type FlowTiming } from './order-flow.ts'
import { type ServerSettings, Term } from './term.ts'

export interface AcmeOptions {
  readonly client: Client
  readonly server: ServerSettings
  /** Where the replicas keep what they share; only they may read it. */
  readonly place: Place
  /** The controller's, whole when this is started. */
  readonly claims: ClaimedHosts
  onClaims(handler: () => void): () => void
  /** Follows the Secrets that Ingresses refer to. */
  readonly secrets: Pick<ReferencedInformer<Secret>, 'get' | 'onChange'>
  readonly engine: Pick<Engine, 'update'>
  /** Only the leader speaks to the server. */
  readonly leadership: Leadership
  readonly recorder?: Pick<EventRecorder, 'event'>
  readonly timing?: Partial<AcmeTiming>
  readonly random?: () => number
  readonly clock: Clock
  readonly log: Logger
}

export interface AcmeTiming extends FlowTiming {
  readonly backoff: typeof defaultBackoff
  readonly budget: BudgetTiming
}

const defaultAcmeTiming: AcmeTiming = { ...defaultFlowTiming, backoff: defaultBackoff, budget: defaultOrderBudget }

/**
 * Has the certificates that our Ingresses ask for issued and renewed by an ACME server, and puts its challenges into this replica's engine. Start it after the controller and
 * after whatever elects the leader; it neither waits for the server nor fails because of it.
 */
export const createAcme = (options: AcmeOptions): Component => ({
  name: 'acme',
  start: async (signal): Promise<Running> => ({ stopped: new Acme(options).run(signal) }),
})

/** Orders that go on at a time: most of an order is waiting. */
const WORKERS = 4
/** Not the key of a Secret: what former leaders left. */
const LEFTOVERS = ''
const HOLD_OFF = { holdOffMs: 50, ceilingMs: 1_000 }
const LONGEST_ENGINE_UPDATE_MS = 10_000

class Acme {
  readonly #options: AcmeOptions
  readonly #log: Logger
  readonly #timing: AcmeTiming
  readonly #mirror: ChallengeMirror
  readonly #queue: ReturnType<typeof createWorkQueue>
  readonly #budget: OrderBudget
  #wanted: ReadonlyMap<string, WantedCertificate> = new Map()
  #term: Term | undefined
  #certificates: CertificateSync | undefined

  constructor(options: AcmeOptions) {
    const { clock, log } = options
    this.#options = options
    this.#log = log.child({ component: 'acme' })
    this.#timing = { ...defaultAcmeTiming, ...options.timing }
    this.#mirror = new ChallengeMirror({ ...options, log: this.#log })
    this.#queue = createWorkQueue({ clock })
    this.#budget = new OrderBudget({ clock, ...this.#timing.budget })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { onClaims, secrets, leadership, clock } = this.#options
    const holdOff = createHoldOff({ clock, ...HOLD_OFF, fire: () => this.#plan() })
    const stops = [
      onClaims(() => holdOff.touch('claims')),
      secrets.onChange(({ object }) => this.#wanted.has(keyOf(object)) && this.#queue.add(keyOf(object))),
      leadership.onChange((isLeader) => this.#lead(isLeader)),
    ]
    this.#plan()
    this.#lead(leadership.isLeader)
    signal.addEventListener('abort', () => this.#lead(false), { once: true })
    const reconcile = (key: string): Promise<Outcome> => this.#reconcile(key)
    const controller = { name: 'acme', queue: this.#queue, reconcile, workers: WORKERS, clock, log: this.#log, signal }
    await Promise.all([this.#mirror.run(signal), runController(controller)])
    holdOff.cancel()
    for (const stop of stops) stop()
  }

  /** What is asked for now, and whatever was until now. */
  #plan(): void {
    const before = this.#wanted
    this.#wanted = wantedCertificates(this.#options.claims)
    for (const key of new Set([...before.keys(), ...this.#wanted.keys()])) this.#queue.add(key)
  }

  #lead(isLeader: boolean): void {
    this.#term?.end()
    this.#term = undefined
    this.#certificates = undefined
    if (!isLeader) return
    this.#begin()
    for (const key of [LEFTOVERS, ...this.#wanted.keys()]) this.#queue.add(key)
  }

  #begin(): void {
    const { client, place, server, clock, recorder, random = Math.random } = this.#options
    const term = new Term({ store: { client, place }, server, clock, log: this.#log })
    this.#term = term
    this.#certificates = new CertificateSync({
      client,
      term,
      server: server.url,
      secrets: this.#options.secrets,
      budget: this.#budget,
      timing: this.#timing,
      answer: (answers) => this.#answer(term, answers),
      ...(recorder === undefined ? {} : { recorder }),
      random,
      clock,
      log: this.#log,
    })
  }

  async #reconcile(key: string): Promise<Outcome> {
    const term = this.#term
    const certificates = this.#certificates
    if (term === undefined || certificates === undefined || !this.#options.leadership.isLeader) return DONE
    try {
      if (key === LEFTOVERS) return await this.#sweep(term)
      return await certificates.reconcile(key, this.#wanted.get(key))
    } catch (error) {
      if (term.signal.aborted) return DONE
      // Whatever another leader wrote in between is read anew.
      term.forget()
      throw error
    }
  }

  /** Records that nothing is asked for by, and tokens of no record: their leader died. */
  async #sweep(term: Term): Promise<Outcome> {
    const records = (await term.records()).all()
    await term.board.keepOnly(new Set(records.flatMap(({ tokens }) => tokens)))
    for (const { certificate } of records) this.#queue.add(certificate)
    return DONE
  }

  async #answer(term: Term, answers: Parameters<Term['board']['post']>[0]): Promise<void> {
    await term.board.post(answers)
    const isServed = await this.#mirror.serves([...answers.keys()], LONGEST_ENGINE_UPDATE_MS, term.signal)
    term.signal.throwIfAborted()
    if (!isServed) throw new Error('the engine did not take the challenges in time')
    await sleep(this.#options.clock, this.#timing.settleMs, term.signal)
    term.signal.throwIfAborted()
  }
}
