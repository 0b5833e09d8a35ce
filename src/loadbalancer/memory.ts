import { type Backoff, createBackoff } from '../base/index.ts'
import type { Essence } from './essence.ts'
import type { Outcome } from './provider.ts'

/** The slowest pace of retries. */
export const SLOWEST_MS = 300_000

/** What is remembered of one load balancer between two rounds of a leader; lost without harm. */
export interface Memory {
  /** Of the last call, whether it succeeded or not. */
  essence?: Essence
  /** Of the last call that succeeded. */
  outcome?: Outcome
  /** When to call again though nothing changes: the provider asked, or the last call failed. */
  callAt?: number
  fullLookAt?: number
  /** The intent of which `ensured` was told. */
  toldIntent?: string
  /** The provider asked to be called. */
  isWoken: boolean
  /** A call failed since the last that succeeded: how far it came is not known. */
  isUncertain: boolean
  /** A new token was made since the last call that succeeded. */
  isNewLife: boolean
  readonly backoff: Backoff
}

export const newMemory = (): Memory => ({
  isWoken: false,
  isUncertain: false,
  isNewLife: false,
  backoff: createBackoff({ initialMs: 5_000, maxMs: SLOWEST_MS, jitter: 0.1 }),
})
