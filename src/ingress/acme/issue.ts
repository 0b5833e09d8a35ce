import { ApiError, type Secret, secretKind } from '../../api/index.ts'
import type { Clock } from '../../base/index.ts'
import { counted, type defaultBackoff, delayAfter } from './backoff.ts'
import type { WantedCertificate } from './desired.ts'
import { type IssuedSecret, issuedSecret, trialSecret } from './issued.ts'
import { carryOrder, type FlowTiming, type OrderFlow } from './order-flow.ts'
import type { OrderRecord } from './order-record.ts'
import type { SecretClient } from './secret-store.ts'
import { AcmeFailure } from './server/index.ts'
import type { Term } from './term.ts'

/** What came of one attempt. */
export type Attempt =
  | { readonly kind: 'issued'; readonly issued: IssuedSecret }
  | { readonly kind: 'failed'; readonly failure: AcmeFailure; readonly delayMs: number }

export interface IssueOptions extends Pick<OrderFlow, 'admit' | 'answer'> {
  readonly client: SecretClient
  readonly term: Term
  readonly clock: Clock
  readonly timing: FlowTiming & { readonly backoff: typeof defaultBackoff }
  readonly random: () => number
}

export interface DueCertificate {
  readonly wanted: WantedCertificate
  /** The Secret as the API server has it now. */
  readonly present: Secret | undefined
  readonly record: OrderRecord
}

/**
 * One attempt at a certificate that is due, from wherever the record says it is; what came of it is written down. Rejects when the API server does not do what is asked, which
 * costs nothing at the ACME server.
 */
export const attemptIssue = async (due: DueCertificate, options: IssueOptions): Promise<Attempt> => {
  const { term, client, clock, timing } = options
  const records = await term.records()
  let record = due.record
  const save = async (next: OrderRecord): Promise<OrderRecord> => {
    term.signal.throwIfAborted()
    record = await records.save(next)
    return record
  }
  try {
    if (record.orderUrl === undefined) await tryWrite(client, trialSecret(due.wanted, due.present), { dryRun: true })
    const server = await term.server()
    const chain = await carryOrder(record, { ...options, server, save, timing, clock, signal: term.signal })
    const issued = issuedSecret({ ...due, record, chain, nowMs: clock.now() })
    term.signal.throwIfAborted()
    await tryWrite(client, issued.secret)
    await term.board.take(record.tokens)
    await records.forget(record.certificate)
    return { kind: 'issued', issued }
  } catch (error) {
    if (term.signal.aborted || !(error instanceof AcmeFailure)) throw error
    return failed(error, { record, save }, options)
  }
}

interface Attempted {
  readonly record: OrderRecord
  save(record: OrderRecord): Promise<OrderRecord>
}

/** An order that nobody said no to is gone on with; else the next attempt is another order. */
const failed = async (
  failure: AcmeFailure,
  { record, save }: Attempted,
  { term, clock, timing, random }: IssueOptions,
): Promise<Attempt> => {
  const { kind, retryAfterMs } = failure
  const failures = counted(record.failures, kind)
  const asked = retryAfterMs === undefined ? {} : { retryAfterMs }
  const delayMs = delayAfter({ kind, failures, ...asked, timing: timing.backoff, random: random() })
  const goesOn = kind === 'unreachable'
  if (!goesOn) await term.board.take(record.tokens)
  const next = goesOn ? record : { ...record, orderUrl: undefined, tokens: [] }
  await save({ ...next, failures, notBeforeMs: clock.now() + delayMs })
  return { kind: 'failed', failure, delayMs }
}

/** What the API server does not let us write is told to whom it concerns. */
const tryWrite = async (client: SecretClient, secret: Secret, options: { readonly dryRun?: boolean } = {}): Promise<void> => {
  try {
    if (secret.metadata.resourceVersion === undefined) await client.create(secretKind, secret, options)
    else await client.update(secretKind, secret, options)
  } catch (error) {
    if (!(error instanceof ApiError) || (error.code !== 403 && error.code !== 422)) throw error
    const { namespace, name } = secret.metadata
    throw new AcmeFailure('unreachable', `Secret ${namespace}/${name} cannot be written: ${error.message}`)
  }
}
