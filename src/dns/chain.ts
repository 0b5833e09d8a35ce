import type { Answer } from 'dns-packet'
import type { Forwarder } from './forward.ts'
import { authority, type Response, toAnswer } from './message.ts'
import { answer, isWithin, type Question } from './zone/answer.ts'
import type { Zone } from './zone/zone.ts'

/** One step of the resolver: an answer, or undefined for the next step. */
type Step = (question: Question, depth: number) => Promise<Response | undefined>

export interface ChainOptions {
  readonly zone: Zone
  readonly domain: string
  /** Seconds that clients may keep an answer of the zone. */
  readonly ttl: number
  /** False until Services and EndpointSlices are known: then the zone's names fail instead of seeming absent. */
  readonly isReady: () => boolean
  readonly forwarder: Forwarder
}

/** Answers a question; never rejects. */
export type Resolve = (question: Question) => Promise<Response>

/** An ExternalName may lead to another one; a loop of them must end. */
const MAX_ALIASES = 8

/** The steps that every question passes, in this order: not ready → zone → upstream. */
export const createChain = (options: ChainOptions): Resolve => {
  const steps: readonly Step[] = [
    refuseUntilReady(options),
    answerFromZone(options, (question, depth) => resolve(question, depth)),
    forward(options),
  ]
  const resolve = async (question: Question, depth: number): Promise<Response> => {
    for (const step of steps) {
      const response = await step(question, depth)
      if (response) return response
    }
    return failure('REFUSED')
  }
  return (question) => resolve(question, 0)
}

/** Names that others serve are not kept waiting; a reverse name may be ours. */
const refuseUntilReady =
  ({ isReady, domain }: ChainOptions): Step =>
  async ({ name }) =>
    isReady() || !(isWithin(name, domain) || isWithin(name, 'arpa')) ? undefined : failure('SERVFAIL')

const answerFromZone =
  ({ zone, domain, ttl }: ChainOptions, resolve: (question: Question, depth: number) => Promise<Response>): Step =>
  async (question, depth) => {
    const found = answer(zone, domain, question)
    if (found.kind === 'not-ours') return undefined
    const negative = authority(domain, ttl)
    if (found.kind === 'name-error') return { ...failure('NXDOMAIN'), authoritative: true, authorities: [negative] }
    const answers = shuffled(found.answers).map((record) => toAnswer(record, ttl))
    const [first] = found.answers
    if (first?.type === 'CNAME' && question.type !== 'CNAME')
      return followAlias({ question, answers, target: first.target, depth, resolve })
    return {
      rcode: 'NOERROR',
      authoritative: true,
      answers,
      authorities: answers.length === 0 ? [negative] : [],
      additionals: found.additionals.map((record) => toAnswer(record, ttl)),
    }
  }

interface Alias {
  readonly question: Question
  readonly answers: readonly Answer[]
  readonly target: string
  readonly depth: number
  resolve(question: Question, depth: number): Promise<Response>
}

/** The alias itself, followed by what its target has; an unreachable upstream still leaves the alias. */
const followAlias = async ({ question, answers, target, depth, resolve }: Alias): Promise<Response> => {
  const alone: Response = { rcode: 'NOERROR', authoritative: true, answers, authorities: [], additionals: [] }
  if (depth >= MAX_ALIASES) return alone
  const beyond = await resolve({ name: target, type: question.type }, depth + 1)
  return beyond.rcode === 'NOERROR' ? { ...alone, answers: [...answers, ...beyond.answers] } : alone
}

const forward =
  ({ forwarder }: ChainOptions): Step =>
  (question) =>
    forwarder.resolve(question)

const failure = (rcode: Response['rcode']): Response => ({
  rcode,
  authoritative: false,
  answers: [],
  authorities: [],
  additionals: [],
})

/** Clients take the first address: spread them (CoreDNS `loadbalance`). */
const shuffled = <T>(items: readonly T[]): readonly T[] => {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const a = result[i]
    const b = result[j]
    if (a !== undefined && b !== undefined) [result[i], result[j]] = [b, a]
  }
  return result
}
