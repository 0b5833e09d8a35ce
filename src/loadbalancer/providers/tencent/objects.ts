import type { TkeServiceConfig } from '../../../api/index.ts'
import type { CertificateLookup } from './plan-input.ts'

/** Objects of the cluster that annotations name, by `namespace/name`. */
export interface Objects {
  /** Says which ones are needed by a load balancer from now on, and resolves when they have been read once. */
  follow(key: string, names: ObjectNames, signal: AbortSignal): Promise<void>
  config(name: string): TkeServiceConfig | undefined
  certificate(secret: string): CertificateLookup
  /** `handler` is told of load balancers whose objects changed. Returns how to stop. */
  onChange(handler: (key: string) => void): () => void
}

export interface ObjectNames {
  readonly configs: readonly string[]
  readonly secrets: readonly string[]
}
