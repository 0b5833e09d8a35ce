import type { Node } from '../../api/index.ts'
import type { Clock } from '../../base/index.ts'

/** How the proxy fares, as `/healthz` and `/livez` tell. */
export interface ProxyHealth {
  /** Changes reach the traffic in time; not before the first sync. */
  readonly isHealthy: boolean
  /** No sync was asked for yet: the API server has not told what there is. */
  readonly isStarting: boolean
  /** Load balancers may send new connections to this node: it is not about to be deleted (KEP-3836). */
  readonly isNodeEligible: boolean
  /** When a sync last succeeded, in milliseconds since the epoch; left out before the first. */
  readonly lastUpdated?: number
}

export interface Liveness {
  /** A change waits since `at` (`clock.monotonic()`). */
  queued(at: number): void
  succeeded(): void
  readonly isHealthy: () => boolean
  readonly isStarting: () => boolean
  readonly lastUpdated: () => number | undefined
}

const STALE_MS = 60_000

/** As kube-proxy's healthz: healthy while no change waits for too long; unlike it, unhealthy before the first sync. */
export const createLiveness = (clock: Clock): Liveness => {
  let oldestWaiting: number | undefined
  let lastUpdated: number | undefined
  return {
    queued(at) {
      oldestWaiting = at
    },
    succeeded() {
      oldestWaiting = undefined
      lastUpdated = clock.now()
    },
    isHealthy: () => lastUpdated !== undefined && (oldestWaiting === undefined || clock.monotonic() - oldestWaiting < STALE_MS),
    isStarting: () => lastUpdated === undefined && oldestWaiting === undefined,
    lastUpdated: () => lastUpdated,
  }
}

/** Cluster Autoscaler puts it on a node some time before it deletes it. */
const TO_BE_DELETED = 'ToBeDeletedByClusterAutoscaler'

/** Whether the node may get new connections (KEP-3836); a node that nobody knows may. */
export const isNodeEligible = (node: Node | undefined): boolean =>
  node?.metadata.deletionTimestamp === undefined && !(node?.spec?.taints ?? []).some(({ key }) => key === TO_BE_DELETED)
