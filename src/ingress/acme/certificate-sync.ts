import { ApiError, type Secret, secretKind } from '../../api/index.ts'
import type { Clock, Logger } from '../../base/index.ts'
import type { EventRecorder } from '../../client/index.ts'
import { again, DONE, type Outcome, type ReferencedInformer } from '../../informers/index.ts'
import { split } from '../snapshot.ts'
import type { defaultBackoff } from './backoff.ts'
import { CertificateEvents } from './certificate-events.ts'
import type { WantedCertificate } from './desired.ts'
import { judge, type Verdict } from './due.ts'
import { attemptIssue } from './issue.ts'
import type { OrderBudget } from './order-budget.ts'
import type { FlowTiming, OrderFlow } from './order-flow.ts'
import { isAbout, newRecord, type OrderRecord } from './order-record.ts'
import { desiredOwners } from './owners.ts'
import { readSecret, type SecretClient } from './secret-store.ts'
import type { Term } from './term.ts'

export interface CertificateSyncOptions extends Pick<OrderFlow, 'answer'> {
  readonly client: SecretClient
  readonly term: Term
  /** The URL of the ACME server. */
  readonly server: string
  readonly secrets: Pick<ReferencedInformer<Secret>, 'get'>
  readonly budget: OrderBudget
  readonly timing: FlowTiming & { readonly backoff: typeof defaultBackoff }
  readonly recorder?: Pick<EventRecorder, 'event'>
  readonly random: () => number
  readonly clock: Clock
  readonly log: Logger
}

/** A timer of Node cannot be longer than 24 days; and a clock may be set. */
const LONGEST_WAIT_MS = 12 * 3_600_000
/** A record that says more was written under another clock. */
const LONGEST_BACKOFF_MS = 9 * 24 * 3_600_000

/** Brings one Secret after the other to what is asked for, during one leader's term. */
export class CertificateSync {
  readonly #options: CertificateSyncOptions
  readonly #events: CertificateEvents

  constructor(options: CertificateSyncOptions) {
    this.#options = options
    this.#events = new CertificateEvents(options)
  }

  async reconcile(key: string, wanted: WantedCertificate | undefined): Promise<Outcome> {
    if (wanted === undefined) this.#events.forget(key)
    else this.#events.refused(wanted)
    if (wanted === undefined || wanted.hosts.length === 0) return this.#drop(key)
    const cached = this.#options.secrets.get(...split(key))
    const verdict = this.#judge(wanted, cached)
    if (verdict.kind !== 'due') return this.#settle(wanted, cached, verdict)
    // The cache may not have what we wrote a moment ago.
    const present = await this.#read(wanted)
    if (present === 'forbidden') return this.#drop(key)
    const sure = this.#judge(wanted, present)
    return sure.kind === 'due' ? this.#issue(wanted, present) : this.#settle(wanted, present, sure)
  }

  #judge(wanted: WantedCertificate, secret: Secret | undefined): Verdict {
    const { server, clock } = this.#options
    return judge({ wanted, secret, server, nowMs: clock.now() })
  }

  async #read({ secret, ingresses }: WantedCertificate): Promise<Secret | undefined | 'forbidden'> {
    const [namespace, name] = split(secret)
    try {
      return await readSecret(this.#options.client, { namespace, name })
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 403) throw error
      this.#events.leftAlone({ secret, ingresses }, `Secret ${secret} may not be read: ${error.message}`)
      return 'forbidden'
    }
  }

  async #settle(
    wanted: WantedCertificate,
    secret: Secret | undefined,
    verdict: Exclude<Verdict, { kind: 'due' }>,
  ): Promise<Outcome> {
    const { client, clock } = this.#options
    await this.#drop(wanted.secret)
    if (verdict.kind === 'foreign') {
      this.#events.leftAlone(wanted, verdict.message)
      return DONE
    }
    if (!verdict.hasOwners && secret !== undefined)
      await client.update(secretKind, { ...secret, metadata: { ...secret.metadata, ownerReferences: desiredOwners(wanted) } })
    return again(Math.min(Math.max(verdict.untilMs - clock.now(), 0) + 1, LONGEST_WAIT_MS))
  }

  /** Nothing is being issued there. */
  async #drop(key: string): Promise<Outcome> {
    const { term } = this.#options
    const records = await term.records()
    const record = records.get(key)
    if (record !== undefined && record.tokens.length > 0) await term.board.take(record.tokens)
    await records.forget(key)
    return DONE
  }

  async #issue(wanted: WantedCertificate, present: Secret | undefined): Promise<Outcome> {
    const { clock, budget, log } = this.#options
    const record = await this.#record(wanted)
    const leftMs = record.notBeforeMs - clock.now()
    if (leftMs > 0 && leftMs < LONGEST_BACKOFF_MS) return again(Math.min(leftMs, LONGEST_WAIT_MS))
    const wait = { ms: 0 }
    const admit = (): void => {
      wait.ms = budget.take()
      if (wait.ms > 0) throw new Error('too many orders')
    }
    try {
      const attempt = await attemptIssue({ wanted, present, record }, { ...this.#options, admit })
      if (attempt.kind === 'issued') {
        this.#events.issued(wanted, attempt.issued)
        log.info('certificate issued', { secret: wanted.secret, hosts: wanted.hosts.length })
        return again(1_000)
      }
      const { failure, delayMs } = attempt
      // One that is rate-limited says nothing of other hosts.
      if (failure.kind === 'unreachable' && failure.retryAfterMs !== undefined) budget.pause(failure.retryAfterMs)
      this.#events.failed(wanted, failure.message, clock.now() + delayMs)
      log.warn('certificate not issued', { secret: wanted.secret, error: failure.message, againInMs: delayMs })
      return again(Math.min(delayMs, LONGEST_WAIT_MS))
    } catch (error) {
      if (wait.ms === 0) throw error
      log.debug('orders wait their turn', { secret: wanted.secret, forMs: wait.ms })
      return again(wait.ms)
    }
  }

  async #record(wanted: WantedCertificate): Promise<OrderRecord> {
    const { term, server } = this.#options
    const known = (await term.records()).get(wanted.secret)
    if (known !== undefined && isAbout(known, wanted, server)) return known
    if (known !== undefined) await this.#drop(wanted.secret)
    return newRecord(wanted, server)
  }
}
