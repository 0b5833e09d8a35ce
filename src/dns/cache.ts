import type { Answer } from 'dns-packet'
import type { Clock } from '../base/index.ts'
import type { Response } from './message.ts'
import type { Question } from './zone/answer.ts'

/** Answers of other servers, kept for as long as they allow. */
export interface AnswerCache {
  /** A kept answer with its remaining times to live. */
  get(question: Question): Response | undefined
  put(question: Question, response: Response): void
}

/** CoreDNS' bounds. */
const MAX_ENTRIES = 9984
const MAX_TTL_SECONDS = 3600
const MAX_NEGATIVE_TTL_SECONDS = 1800

interface Kept {
  readonly response: Response
  readonly storedMs: number
  readonly expiresMs: number
}

export const createAnswerCache = (clock: Clock): AnswerCache => {
  const entries = new Map<string, Kept>()
  return {
    get(question) {
      const key = keyOf(question)
      const kept = entries.get(key)
      if (!kept) return undefined
      const nowMs = clock.monotonic()
      if (nowMs >= kept.expiresMs) {
        entries.delete(key)
        return undefined
      }
      return aged(kept.response, Math.floor((nowMs - kept.storedMs) / 1000))
    },
    put(question, response) {
      const ttl = lifetimeSeconds(response)
      if (ttl <= 0) return
      const key = keyOf(question)
      entries.delete(key)
      const storedMs = clock.monotonic()
      entries.set(key, { response, storedMs, expiresMs: storedMs + ttl * 1000 })
      // Maps keep insertion order: the first key is the oldest.
      const [oldest] = entries.size > MAX_ENTRIES ? entries.keys() : []
      if (oldest !== undefined) entries.delete(oldest)
    },
  }
}

const keyOf = ({ name, type }: Question): string => `${type} ${name}`

/** The shortest of the records' times; of a negative answer the SOA's minimum (RFC 2308); 0 for failures. */
const lifetimeSeconds = ({ rcode, answers, authorities }: Response): number => {
  if (rcode === 'NOERROR' && answers.length > 0) return Math.min(MAX_TTL_SECONDS, ...answers.map(ttlOf))
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') return 0
  const soa = authorities.find((record) => record.type === 'SOA')
  return soa?.type === 'SOA' ? Math.min(MAX_NEGATIVE_TTL_SECONDS, ttlOf(soa), soa.data.minimum ?? 0) : 0
}

const ttlOf = (record: Answer): number => ('ttl' in record ? (record.ttl ?? 0) : 0)

const aged = (response: Response, seconds: number): Response => {
  const older = (records: readonly Answer[]): readonly Answer[] =>
    records.map((record) => ('ttl' in record ? { ...record, ttl: Math.max(0, (record.ttl ?? 0) - seconds) } : record))
  return {
    ...response,
    answers: older(response.answers),
    authorities: older(response.authorities),
    additionals: older(response.additionals),
  }
}
