import { isAlreadyExists, isConflict, isNotFound, secretKind } from '../../api/index.ts'
import { type Answers, answersDelta, answersOf } from './challenges.ts'
import { challengesSecret } from './names.ts'
import { readSecret, type SecretStore, sharedSecret } from './secret-store.ts'

const TRIES = 5

/** The Secret from which every replica learns what to answer; only the leader writes to it. */
export class ChallengeBoard {
  readonly #store: SecretStore
  /** One write after the other: orders that go on beside each other share the Secret. */
  #last: Promise<void> = Promise.resolve()

  constructor(store: SecretStore) {
    this.#store = store
  }

  post(answers: Answers): Promise<void> {
    return this.#change((present) => new Map([...present, ...answers]))
  }

  take(tokens: readonly string[]): Promise<void> {
    return this.#change((present) => new Map([...present].filter(([token]) => !tokens.includes(token))))
  }

  /** Takes what a leader that died left, and nobody goes on with. */
  keepOnly(tokens: ReadonlySet<string>): Promise<void> {
    return this.#change((present) => new Map([...present].filter(([token]) => tokens.has(token))))
  }

  #change(next: (present: Answers) => Answers): Promise<void> {
    const written = this.#last.then(() => this.#write(next))
    this.#last = written.catch(() => {})
    return written
  }

  async #write(next: (present: Answers) => Answers): Promise<void> {
    const { client, place } = this.#store
    const name = challengesSecret(place)
    for (let attempt = 1; ; attempt++) {
      const secret = await readSecret(client, { namespace: place.namespace, name })
      const present = answersOf(secret)
      const wanted = next(present)
      if (answersDelta(present, wanted) === undefined) return
      const fresh = sharedSecret(place, { role: 'challenges', name, texts: Object.fromEntries(wanted) })
      try {
        if (secret === undefined) await client.create(secretKind, fresh)
        else await client.update(secretKind, { ...secret, data: fresh.data ?? {} })
        return
      } catch (error) {
        const isRace = isConflict(error) || isAlreadyExists(error) || isNotFound(error)
        if (!isRace || attempt === TRIES) throw error
      }
    }
  }
}
