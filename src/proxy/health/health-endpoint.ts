import type { RequestListener, ServerResponse } from 'node:http'
import type { Clock } from '../../base/index.ts'
import { route, send } from './http-server.ts'
import type { ProxyHealth } from './liveness.ts'

export interface HealthEndpointOptions {
  readonly health: () => ProxyHealth
  readonly clock: Clock
  /** Counts answers, for metrics. */
  readonly answered?: (path: 'healthz' | 'livez', code: number) => void
}

/**
 * kube-proxy's port 10256. `/healthz` is for load balancers that send connections to nodes: 503 when traffic is stale or the node is about to
 * be deleted (KEP-3836); `/livez` is for who restarts the proxy, and knows nothing of the node.
 */
export const healthEndpoint = (options: HealthEndpointOptions): RequestListener => {
  const answer = (response: ServerResponse, path: 'healthz' | 'livez'): void => {
    const { isHealthy, isStarting, isNodeEligible, lastUpdated } = options.health()
    const isWell = path === 'livez' ? isHealthy || isStarting : isHealthy && isNodeEligible
    const code = isWell ? 200 : 503
    const now = options.clock.now()
    // As kube-proxy: who is healthy is up to date.
    const updated = isHealthy && code === 200 ? now : lastUpdated
    const body = {
      lastUpdated: updated === undefined ? '' : new Date(updated).toISOString(),
      currentTime: new Date(now).toISOString(),
      ...(path === 'healthz' ? { nodeEligible: isNodeEligible } : {}),
    }
    options.answered?.(path, code)
    send(response, { code, type: 'application/json', body: JSON.stringify(body) })
  }
  return route({
    '/healthz': (_url, response) => answer(response, 'healthz'),
    '/livez': (_url, response) => answer(response, 'livez'),
  })
}
