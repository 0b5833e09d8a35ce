import type { MirrorRequest, OutsideClient } from '../policy/index.ts'
import type { PodRequest } from './pod-request.ts'

/** A longer body is not mirrored: it would have to be held as long as the mirror is slower than the pod. */
const MOST_BODY_BYTES = 1_048_576
const TIMEOUT_MS = 10_000

/** The copy of one request for a server that only listens in. Its answer is thrown away; nothing of the request waits for it. */
export class Mirroring {
  #request: MirrorRequest | undefined
  #method = ''
  #fields: [string, string][] = []
  #pieces: Buffer[] = []
  #size = 0

  begin(request: MirrorRequest, pod: PodRequest): void {
    this.#request = request
    this.#method = pod.method
    this.#fields = asPairs(pod.fields)
    this.#pieces = []
    this.#size = 0
  }

  add(bytes: Buffer, from: number, to: number): void {
    if (this.#request?.withBody !== true) return
    this.#size += to - from
    if (this.#size > MOST_BODY_BYTES) this.clear()
    else this.#pieces.push(Buffer.from(bytes.subarray(from, to)))
  }

  /** The request is here whole. */
  end(client: OutsideClient): void {
    const request = this.#request
    if (request === undefined) return
    const { target, path, host } = request
    const body = this.#size > 0 ? { body: Buffer.concat(this.#pieces) } : {}
    const method = this.#method
    client.send(
      { target, method, path, ...(host !== undefined && { host }), fields: this.#fields, ...body, timeoutMs: TIMEOUT_MS },
      () => {},
    )
    this.clear()
  }

  clear(): void {
    this.#request = undefined
    this.#pieces = []
  }
}

const asPairs = (fields: string): [string, string][] =>
  fields
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
