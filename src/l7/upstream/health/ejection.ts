import type { Deadlines, Timed } from '../../deadlines.ts'

/**
 * How one attempt ended. `refused`: nobody listens; `failed`: connect timeout, reset before an answer, response timeout, invalid response;
 * `bad`: 502, 503 or 504 from the pod; `ok`: anything else.
 */
export type Outcome = 'ok' | 'bad' | 'failed' | 'refused'

export interface EjectionSettings {
  readonly ejectAfterFailures: number
  readonly ejectAfterRefused: number
  readonly ejectRatio: number
  readonly ejectWindowRequests: number
  readonly ejectWindowMs: number
  readonly ejectionMs: number
  readonly maxEjectionMs: number
}

type Phase =
  /** Nothing speaks against it. */
  | 'trusted'
  /** Its failures speak against it until a time. */
  | 'ejected'
  /** The time is over: the next request is a probe. */
  | 'due'
  /** The probe is on its way. */
  | 'probing'

/**
 * What the outcomes of its requests say about an endpoint (outlier detection). Decides nothing for a backend: there, a share of the endpoints
 * stays in any case (`eligible`). Outcomes while it is ejected are of older requests and count for nothing.
 */
export class Ejection implements Timed {
  deadlineMs = 0
  /** 0 while it is trusted. */
  failingSinceMs = 0
  readonly #settings: EjectionSettings
  readonly #deadlines: Deadlines
  readonly #onChange: () => void
  #phase: Phase = 'trusted'
  #failures = 0
  #refused = 0
  #windowEndMs = 0
  #windowRequests = 0
  #windowFailures = 0
  /** Ejections lately; one is forgotten for each `ejectionMs` of good service. */
  #times = 0
  #trustedSinceMs = 0

  constructor(settings: EjectionSettings, deadlines: Deadlines, onChange: () => void) {
    this.#settings = settings
    this.#deadlines = deadlines
    this.#onChange = onChange
  }

  get isDue(): boolean {
    return this.#phase === 'due'
  }

  /** The caller sends a request that decides; its outcome is awaited as long as an ejection, as it may have been given up. */
  beginProbe(): void {
    this.#phase = 'probing'
    this.#wait(this.#settings.ejectionMs)
    this.#onChange()
  }

  observe(outcome: Outcome): void {
    if (this.#phase === 'trusted') this.#count(outcome)
    else if (this.#phase === 'probing') this.#judge(outcome)
  }

  onDeadline(): void {
    this.#deadlines.remove(this)
    this.#phase = 'due'
    this.#onChange()
  }

  stop(): void {
    this.deadlineMs = 0
    this.#deadlines.remove(this)
  }

  #count(outcome: Outcome): void {
    const { nowMs } = this.#deadlines
    if (nowMs >= this.#windowEndMs) this.#beginWindow(nowMs)
    this.#windowRequests++
    if (outcome === 'ok') {
      this.#failures = 0
      this.#refused = 0
      return
    }
    this.#windowFailures++
    if (outcome !== 'bad') this.#failures++
    this.#refused = outcome === 'refused' ? this.#refused + 1 : 0
    if (this.#isTooMuch()) this.#eject()
  }

  #isTooMuch(): boolean {
    const { ejectAfterFailures, ejectAfterRefused, ejectRatio, ejectWindowRequests } = this.#settings
    if (ejectAfterRefused > 0 && this.#refused >= ejectAfterRefused) return true
    if (ejectAfterFailures > 0 && this.#failures >= ejectAfterFailures) return true
    const isKnown = ejectRatio > 0 && this.#windowRequests >= ejectWindowRequests
    return isKnown && this.#windowFailures >= this.#windowRequests * ejectRatio
  }

  #judge(outcome: Outcome): void {
    if (outcome !== 'ok') {
      this.#eject()
      return
    }
    this.stop()
    this.#phase = 'trusted'
    this.failingSinceMs = 0
    this.#trustedSinceMs = this.#deadlines.nowMs
    this.#failures = 0
    this.#refused = 0
    this.#beginWindow(this.#deadlines.nowMs)
    this.#onChange()
  }

  #eject(): void {
    const { ejectionMs, maxEjectionMs } = this.#settings
    const { nowMs } = this.#deadlines
    if (this.#phase === 'trusted') {
      const forgotten = Math.floor((nowMs - this.#trustedSinceMs) / Math.max(1, ejectionMs))
      this.#times = Math.max(0, this.#times - forgotten)
      this.failingSinceMs = nowMs
    }
    this.#times++
    this.#phase = 'ejected'
    this.#wait(Math.min(ejectionMs * this.#times, maxEjectionMs))
    this.#onChange()
  }

  #wait(forMs: number): void {
    this.deadlineMs = this.#deadlines.nowMs + forMs
    this.#deadlines.add(this)
  }

  #beginWindow(nowMs: number): void {
    this.#windowEndMs = nowMs + this.#settings.ejectWindowMs
    this.#windowRequests = 0
    this.#windowFailures = 0
  }
}
