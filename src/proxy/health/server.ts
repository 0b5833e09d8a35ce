import type { ServerResponse } from 'node:http'
import { errorMessage } from '../../base/index.ts'
import { openHttpServer } from './http-server.ts'

/** What the health check of one Service on this node answers. */
export interface ServiceHealth {
  readonly namespace: string
  readonly name: string
  readonly localEndpoints: number
}

export interface HealthServer {
  update(health: ServiceHealth): void
  /** Errors of listening, one for each address that could not be bound. */
  readonly problems: readonly string[]
  close(): Promise<void>
}

/** Load balancers ask each node here whether it has endpoints of its own (externalTrafficPolicy Local). */
export const openHealthServer = async (
  listen: { readonly addresses: readonly string[]; readonly port: number },
  initial: ServiceHealth,
  isProxyHealthy: () => boolean,
): Promise<HealthServer> => {
  let health = initial
  const problems: string[] = []
  const opened = await Promise.all(
    listen.addresses.map(async (address) => {
      try {
        return [
          await openHttpServer({ address, port: listen.port }, (_request, response) =>
            answer(response, health, isProxyHealthy()),
          ),
        ]
      } catch (error) {
        problems.push(`healthCheckNodePort ${address}:${listen.port}: ${errorMessage(error)}`)
        return []
      }
    }),
  )
  const servers = opened.flat()
  return {
    update(changed) {
      health = changed
    },
    problems,
    close: async () => void (await Promise.all(servers.map((server) => server.close()))),
  }
}

const answer = (
  response: ServerResponse,
  { namespace, name, localEndpoints }: ServiceHealth,
  serviceProxyHealthy: boolean,
): void => {
  response.writeHead(serviceProxyHealthy && localEndpoints > 0 ? 200 : 503, {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'x-load-balancing-endpoint-weight': String(localEndpoints),
  })
  response.end(`${JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, null, 1)}\n`)
}
