import type { RequestListener } from 'node:http'
import type { Registry } from 'prom-client'
import type { ExplainQuery, Explanation } from '../explain.ts'
import { parseExplainQuery } from '../explain-query.ts'
import { route, send } from './http-server.ts'

export interface MetricsEndpointOptions {
  readonly registry: Registry
  /** Empty before it is known. */
  readonly mode: () => string
  readonly explain: (query: ExplainQuery) => Explanation | undefined
}

/** kube-proxy's port 10249: `/metrics`, `/proxyMode`, `/healthz`; and `/explain?target=10.96.0.1:443&from=pod`, what `fairway explain --proxy` asks. */
export const metricsEndpoint = ({ registry, mode, explain }: MetricsEndpointOptions): RequestListener =>
  route({
    '/metrics': async (_url, response) =>
      send(response, { code: 200, type: registry.contentType, body: await registry.metrics() }),
    '/proxyMode': (_url, response) => send(response, { code: 200, body: mode() }),
    '/healthz': (_url, response) => send(response, { code: 200, body: 'ok' }),
    '/explain': (url, response) => {
      const query = parseExplainQuery(url.searchParams)
      const explanation = query && explain(query)
      const answer =
        explanation === undefined
          ? {
              code: 400,
              value: {
                error: `"${url.searchParams.get('target') ?? ''}" is not address:port, such as 10.96.0.1:443 or [fd00::1]:443`,
              },
            }
          : { code: 200, value: { kind: 'service', explanation } }
      send(response, { code: answer.code, type: 'application/json', body: JSON.stringify(answer.value) })
    },
  })
