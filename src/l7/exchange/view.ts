import type { ForwardedLines } from '../http1/forwarded.ts'
import type { RequestHead } from '../http1/request-head.ts'
import { fieldValue } from '../http1/text.ts'
import type { RequestView } from '../policy/contract.ts'

/** A request's head as policies see it; made for the first request of a connection that meets a policy. */
export class HeadView implements RequestView {
  requestId = ''
  captures: readonly string[] | undefined
  clientAddress = ''
  isSecure = false
  readonly #head: RequestHead
  readonly #forwarded: ForwardedLines
  #lower: string | undefined

  constructor(head: RequestHead, forwarded: ForwardedLines) {
    this.#head = head
    this.#forwarded = forwarded
  }

  begin(requestId: string, captures: readonly string[] | undefined): void {
    this.requestId = requestId
    this.captures = captures
    this.clientAddress = this.#forwarded.clientAddress(this.#head)
    this.isSecure = this.#forwarded.isSecure(this.#head)
    this.#lower = undefined
  }

  get method(): string {
    return this.#head.method
  }

  get host(): string {
    return this.#head.host
  }

  get authority(): string {
    return this.#head.authority
  }

  get path(): string {
    return this.#head.path
  }

  get query(): string {
    return this.#head.target.slice(this.#head.path.length)
  }

  get fieldLines(): string {
    return this.#head.fields
  }

  field(name: string): string | undefined {
    if (name === 'host') return this.#head.authority
    const { fields } = this.#head
    this.#lower ??= `\r\n${fields.toLowerCase()}`
    return fieldValue(fields, name, this.#lower)
  }
}
