import { createServer, type Server } from 'node:http'
import { errorMessage } from '../../base/index.ts'

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
      const server = createServer(
        { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 1_000 },
        (_request, response) => {
          const isHealthy = isProxyHealthy()
          response.writeHead(isHealthy && health.localEndpoints > 0 ? 200 : 503, {
            'content-type': 'application/json',
            'x-content-type-options': 'nosniff',
            'x-load-balancing-endpoint-weight': String(health.localEndpoints),
          })
          const service = { namespace: health.namespace, name: health.name }
          response.end(
            `${JSON.stringify({ service, localEndpoints: health.localEndpoints, serviceProxyHealthy: isHealthy }, null, 1)}\n`,
          )
        },
      )
      try {
        await listening(server, address, listen.port)
        return [server]
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
    close: async () => void (await Promise.all(servers.map(closed))),
  }
}

const listening = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject)
      server.on('error', () => {})
      resolve()
    })
  })

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
