import type { CompiledPolicy, RequestView, Verdict } from '../policy/contract.ts'

/** One question at a time to whoever lets requests through; a late answer to an old one is not heard. */
export class Authorization {
  #cancel: (() => void) | undefined
  #question = 0

  ask(authorize: NonNullable<CompiledPolicy['authorize']>, view: RequestView, done: (verdict: Verdict) => void): void {
    const question = ++this.#question
    const cancel = authorize(view, (verdict) => {
      if (question !== this.#question) return
      this.#question++
      this.#cancel = undefined
      done(verdict)
    })
    if (question === this.#question) this.#cancel = cancel
  }

  cancel(): void {
    if (this.#cancel === undefined) return
    this.#question++
    this.#cancel()
    this.#cancel = undefined
  }
}
