import { isDeepStrictEqual } from 'node:util'
import { ApiError, isNotFound, type Pod, type PodStatus, podKind } from '../../api/index.ts'
import { type Backoff, createBackoff, errorMessage, sleep } from '../../base/index.ts'
import type { PodDeps } from './pod-deps.ts'

/** Writes a pod's status, the latest only: one write at a time, repeated until it succeeds or the pod is gone. */
export class StatusWriter {
  readonly #deps: PodDeps
  readonly #pod: () => Pod
  readonly #signal: AbortSignal
  #wanted: PodStatus | undefined
  #written: PodStatus | undefined
  #writing: Promise<void> | undefined
  readonly #backoff: Backoff = createBackoff({ initialMs: 100, maxMs: 10_000, jitter: 0.2 })

  /** `signal` ends the retries. */
  constructor(deps: PodDeps, pod: () => Pod, signal: AbortSignal) {
    this.#deps = deps
    this.#pod = pod
    this.#signal = signal
  }

  set(status: PodStatus): void {
    this.#wanted = status
    this.#writing ??= this.#drain()
  }

  /** Resolves when the latest status was written, or can't be. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing
  }

  async #drain(): Promise<void> {
    // Not before `#writing` is set: what is wanted may be written already.
    await Promise.resolve()
    while (this.#wanted && !isDeepStrictEqual(this.#wanted, this.#written) && !this.#signal.aborted) {
      const status = this.#wanted
      try {
        await this.#write(status)
        this.#written = status
        this.#backoff.reset()
      } catch (error) {
        if (isHopeless(error)) break
        this.#deps.log.warn('pod status was not written', { pod: this.#pod().metadata.name, error: errorMessage(error) })
        await sleep(this.#deps.clock, this.#backoff.next(), this.#signal)
      }
    }
    this.#writing = undefined
  }

  /** Conditions of other types belong to others: the strategic merge leaves them. The uid keeps a successor of the same name untouched. */
  async #write(status: PodStatus): Promise<void> {
    const { name, namespace, uid } = this.#pod().metadata
    const value = { metadata: { uid }, status: withCleared(status, this.#written) }
    await this.#deps.client.patch(podKind, { name, namespace }, { type: 'strategic', value }, { subresource: 'status' })
  }
}

/** A merge keeps what it isn't told: fields that were written before and are no longer wanted are set to null. */
const withCleared = (status: PodStatus, written: PodStatus | undefined): Readonly<Record<string, unknown>> => {
  const gone = Object.keys(written ?? {}).filter((key) => !Object.hasOwn(status, key))
  return { ...status, ...Object.fromEntries(gone.map((key) => [key, null])) }
}

/** The pod, as this node knows it, does not exist any more. */
const isHopeless = (error: unknown): boolean =>
  isNotFound(error) || (error instanceof ApiError && error.code === 409 && /uid/i.test(error.message))
