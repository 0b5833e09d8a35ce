import { type Clock, sleep } from '../../base/index.ts'
import { type Answers, isToken } from './challenges.ts'
import type { OrderRecord } from './order-record.ts'
import { AcmeFailure, type AcmeServer, type Authorization, type Order, refusalOf } from './server/index.ts'

export interface FlowTiming {
  /** Between two looks at something that the server works on: from, to. */
  readonly pollMs: number
  readonly mostPollMs: number
  /** For the whole order; it is gone on with later. */
  readonly limitMs: number
  /** For the other replicas to learn what to answer, after this one did. */
  readonly settleMs: number
}

export const defaultFlowTiming: FlowTiming = { pollMs: 500, mostPollMs: 10_000, limitMs: 300_000, settleMs: 2_000 }

/** What an order is carried through with. */
export interface OrderFlow {
  readonly server: AcmeServer
  /** Writes the record down before anything follows from it; throws when this process leads no more. */
  save(record: OrderRecord): Promise<OrderRecord>
  /** Called before a new order; throws when there were too many. */
  admit(): void
  /** Resolves when every replica, as far as is known, answers these. */
  answer(answers: Answers): Promise<void>
  readonly timing: FlowTiming
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Carries an order on from wherever it is, and resolves with the chain (PEM). Whoever leads may take it up after any step: each is written down before it, and asked of the
 * server after it. Rejects with `AcmeFailure`.
 */
export const carryOrder = async (record: OrderRecord, flow: OrderFlow): Promise<string> => {
  const { server, clock, timing } = flow
  const endMs = clock.monotonic() + timing.limitMs
  let { order, record: current } = await begun(record, flow)
  const left = (status: Order['status'], { url }: Order): Promise<Order> =>
    changed(
      { ...flow, endMs },
      () => server.order(url),
      (now) => now.status !== status,
    )
  for (;;) {
    switch (order.status) {
      case 'pending':
        current = await proveHosts(order, { ...flow, record: current, endMs })
        order = await left('pending', order)
        break
      case 'ready':
        await server.finalize(order, { hosts: current.hosts, key: current.key })
        order = await left('ready', order)
        break
      case 'processing':
        order = await left('processing', order)
        break
      case 'valid':
        return server.chain(order)
      case 'invalid':
        throw await whyInvalid(order, server)
      default:
        throw unknownStatus(order.status satisfies never)
    }
  }
}

interface Begun {
  readonly order: Order
  readonly record: OrderRecord
}

const begun = async (record: OrderRecord, flow: OrderFlow): Promise<Begun> => {
  if (record.orderUrl !== undefined) {
    const order = await present(record.orderUrl, flow.server)
    if (order !== undefined) return { order, record }
  }
  flow.admit()
  await flow.save({ ...record, orderUrl: undefined })
  const order = await flow.server.newOrder(record.hosts)
  return { order, record: await flow.save({ ...record, orderUrl: order.url }) }
}

/** Undefined when the server knows it no more. */
const present = async (url: string, server: AcmeServer): Promise<Order | undefined> => {
  try {
    return await server.order(url)
  } catch (error) {
    if (error instanceof AcmeFailure && error.kind === 'refused') return undefined
    throw error
  }
}

interface Proof extends OrderFlow {
  readonly record: OrderRecord
  readonly endMs: number
}

const proveHosts = async (order: Order, proof: Proof): Promise<OrderRecord> => {
  const { server, record } = proof
  const open = (await server.authorizations(order)).filter(({ status }) => status === 'pending')
  const challenges = open.map(challengeOf)
  const answers = new Map(challenges.map(({ token, keyAuthorization }) => [token, keyAuthorization]))
  const saved = await proof.save({ ...record, tokens: [...new Set([...record.tokens, ...answers.keys()])] })
  if (answers.size > 0) await proof.answer(answers)
  for (const challenge of challenges) if (challenge.status === 'pending') await server.accept(challenge)
  const isDecided = (all: readonly Authorization[]): boolean => all.every(({ status }) => status !== 'pending')
  const decided = await changed(proof, () => server.authorizations(order), isDecided)
  const failed = decided.find(({ status }) => status !== 'valid')
  if (failed !== undefined) throw refusalOf(failed.host, failed.challenge?.problem)
  return saved
}

const challengeOf = ({ host, challenge }: Authorization) => {
  if (challenge === undefined) throw new AcmeFailure('refused', `${host}: the ACME server offers no challenge over HTTP`)
  if (!isToken(challenge.token)) throw new AcmeFailure('refused', `${host}: the ACME server's token is not one`)
  return challenge
}

/** An order becomes invalid with its authorizations, which say more. */
const whyInvalid = async (order: Order, server: AcmeServer): Promise<AcmeFailure> => {
  const failed = (await server.authorizations(order)).find(({ challenge }) => challenge?.problem !== undefined)
  return refusalOf(failed?.host, failed?.challenge?.problem ?? order.problem)
}

const unknownStatus = (status: string): AcmeFailure => new AcmeFailure('unreachable', `the ACME server's order is ${status}`)

/** Looks again, ever more seldom, until what is read is as wanted. */
const changed = async <T>(
  { clock, timing, signal, endMs }: OrderFlow & { readonly endMs: number },
  read: () => Promise<T>,
  isWanted: (value: T) => boolean,
): Promise<T> => {
  for (let waitMs = timing.pollMs; ; waitMs = Math.min(waitMs * 1.5, timing.mostPollMs)) {
    const value = await read()
    if (isWanted(value)) return value
    if (clock.monotonic() > endMs)
      throw new AcmeFailure('unreachable', `the ACME server was not done within ${timing.limitMs / 1_000} s`)
    await sleep(clock, waitMs, signal)
    signal.throwIfAborted()
  }
}
