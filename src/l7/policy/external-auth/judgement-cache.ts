import type { ExternalAuth, Template } from '../../table/index.ts'
import type { RequestView } from '../contract.ts'
import type { OutsideAnswer } from '../outside/contract.ts'
import { keyText } from '../template.ts'
import type { Judgement } from './judgement.ts'

const MOST_KEPT = 10_000
const UNCACHED = /no-store|no-cache|private/i

interface Kept {
  readonly judgement: Judgement
  readonly untilMs: number
}

/** Judgements by the key that the route's author chose, for as long as he said for their status; the oldest go first. */
export class JudgementCache {
  readonly keyOf: (request: RequestView) => string
  readonly #durations = new Map<number, number>()
  readonly #kept = new Map<string, Kept>()

  constructor({
    key,
    durations,
  }: { readonly key: Template; readonly durations: NonNullable<ExternalAuth['cache']>['durations'] }) {
    this.keyOf = keyText(key)
    for (const { statuses, ms } of durations)
      for (const status of statuses) if (!this.#durations.has(status)) this.#durations.set(status, ms)
  }

  get(key: string, nowMs: number): Judgement | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined || kept.untilMs > nowMs) return kept?.judgement
    this.#kept.delete(key)
    return undefined
  }

  /** Not kept: failures, and as with nginx's proxy_cache answers that set a cookie or say that they may not be. */
  put(key: string, judgement: Judgement, { answer, nowMs }: { readonly answer: OutsideAnswer; readonly nowMs: number }): void {
    const ms = this.#durations.get(answer.status) ?? 0
    if (ms <= 0 || judgement.kind === 'failed' || answer.fields.some(isUncached)) return
    this.#kept.delete(key)
    if (this.#kept.size >= MOST_KEPT) {
      const [oldest] = this.#kept.keys()
      if (oldest !== undefined) this.#kept.delete(oldest)
    }
    this.#kept.set(key, { judgement, untilMs: nowMs + ms })
  }
}

const isUncached = ([name, value]: readonly [string, string]): boolean =>
  name === 'set-cookie' || (name === 'cache-control' && UNCACHED.test(value))
