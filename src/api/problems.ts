import type { Problem } from './kind.ts'

/**
 * Collects what is wrong with one object. Holds the first {@link PROBLEM_LIMIT} problems and counts the rest, so that an object with
 * ten thousand bad ports costs one short answer.
 */
export class Problems {
  readonly #list: Problem[] = []
  #unlisted = 0
  #firstUnlisted = ''

  required(path: string, detail = ''): void {
    this.#add({ path, type: 'Required', detail })
  }

  invalid(path: string, value: unknown, detail: string): void {
    this.#add({ path, type: 'Invalid', value, detail })
  }

  /** One problem for each message that a check of `value` gave. */
  invalidEach(path: string, value: unknown, messages: readonly string[]): void {
    for (const message of messages) this.invalid(path, value, message)
  }

  notSupported(path: string, value: unknown, supported: readonly string[]): void {
    const values = [...supported].sort().map((each) => JSON.stringify(each))
    this.#add({ path, type: 'NotSupported', value, detail: `supported values: ${values.join(', ')}` })
  }

  forbidden(path: string, detail: string): void {
    this.#add({ path, type: 'Forbidden', detail })
  }

  duplicate(path: string, value: unknown): void {
    this.#add({ path, type: 'Duplicate', value, detail: '' })
  }

  notFound(path: string, value: unknown): void {
    this.#add({ path, type: 'NotFound', value, detail: '' })
  }

  tooLong(path: string, maxBytes: number): void {
    this.#add({ path, type: 'TooLong', detail: `may not be more than ${maxBytes} bytes` })
  }

  tooMany(path: string, count: number, max: number): void {
    this.#add({ path, type: 'TooMany', value: count, detail: `must have at most ${max} items` })
  }

  /** Adds problems that another function found. */
  include(problems: readonly Problem[]): void {
    for (const problem of problems) this.#add(problem)
  }

  /** Reports a value that isn't one of `supported`, or is missing; true when it's fine. */
  checkOneOf(path: string, value: string | undefined, supported: readonly string[]): boolean {
    if (value === undefined || value === '') this.required(path)
    else if (!supported.includes(value)) this.notSupported(path, value, supported)
    else return true
    return false
  }

  /** Reports a value that isn't one of `supported`; a missing one is fine. */
  checkOptionalOneOf(path: string, value: string | undefined, supported: readonly string[]): void {
    if (value !== undefined && value !== '' && !supported.includes(value)) this.notSupported(path, value, supported)
  }

  get count(): number {
    return this.#list.length + this.#unlisted
  }

  get list(): readonly Problem[] {
    if (this.#unlisted === 0) return this.#list
    const detail = `problems in this object; only the first ${PROBLEM_LIMIT} are listed`
    return [...this.#list, { path: this.#firstUnlisted, type: 'TooMany', value: this.count, detail }]
  }

  #add(problem: Problem): void {
    if (this.#list.length < PROBLEM_LIMIT) this.#list.push(problem)
    else if (this.#unlisted++ === 0) this.#firstUnlisted = problem.path
  }
}

export const PROBLEM_LIMIT = 200
