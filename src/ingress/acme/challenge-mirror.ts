import { type Secret, secretKind } from '../../api/index.ts'
import { type Clock, errorMessage, type Logger, sleep } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { createReferencedInformer, type ReferencedInformer } from '../../informers/index.ts'
import type { Engine } from '../../l7/index.ts'
import { type Answers, answersDelta, answersOf } from './challenges.ts'
import { challengesSecret, type Place } from './names.ts'

export interface ChallengeMirrorOptions {
  readonly client: Client
  readonly place: Place
  readonly engine: Pick<Engine, 'update'>
  readonly clock: Clock
  readonly log: Logger
}

const RETRY_MS = 1_000

/** Puts what the board says into this replica's engine; runs in every replica. */
export class ChallengeMirror {
  readonly #options: ChallengeMirrorOptions
  readonly #secrets: ReferencedInformer<Secret>
  #served: Answers = new Map()
  #isStale = false
  #wake = (): void => {}
  readonly #waiters = new Set<() => void>()

  constructor(options: ChallengeMirrorOptions) {
    const { client, clock, log } = options
    this.#options = options
    this.#secrets = createReferencedInformer({ client, kind: secretKind, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, place } = this.#options
    const changed = (): void => {
      this.#isStale = true
      this.#wake()
    }
    this.#secrets.onChange(changed)
    this.#secrets.follow([`${place.namespace}/${challengesSecret(place)}`])
    const { stopped } = await this.#secrets.start(signal)
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      if (!this.#isStale) await this.#changed()
      try {
        await this.#apply()
      } catch (error) {
        log.debug('challenges did not reach the engine', { error: errorMessage(error) })
        await sleep(clock, RETRY_MS, signal)
      }
    }
    await stopped
  }

  /** Resolves when every worker of this replica answers these tokens: true, or false after `limitMs`. */
  async serves(tokens: readonly string[], limitMs: number, signal: AbortSignal): Promise<boolean> {
    const hasAll = (): boolean => tokens.every((token) => this.#served.has(token))
    let look = (): void => {}
    const served = new Promise<void>((resolve) => {
      look = () => hasAll() && resolve()
      this.#waiters.add(look)
      look()
    })
    const limit = new AbortController()
    await Promise.race([served, sleep(this.#options.clock, limitMs, AbortSignal.any([signal, limit.signal]))])
    limit.abort()
    this.#waiters.delete(look)
    return hasAll()
  }

  async #apply(): Promise<void> {
    const { place, engine } = this.#options
    this.#isStale = false
    const wanted = answersOf(this.#secrets.get(place.namespace, challengesSecret(place)))
    const challenges = answersDelta(this.#served, wanted)
    try {
      if (challenges !== undefined) await engine.update({ challenges })
    } catch (error) {
      this.#isStale = true
      throw error
    }
    this.#served = wanted
    for (const look of [...this.#waiters]) look()
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
