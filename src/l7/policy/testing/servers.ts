import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Certificate } from '../../table/index.ts'

export interface TestServer {
  readonly port: number
  /** Connections accepted so far. */
  connections(): number
  close(): Promise<void>
}

/** A real HTTP server on loopback (every address of it); HTTPS with a certificate. */
export const startServer = async (answer: http.RequestListener, certificate?: Certificate): Promise<TestServer> => {
  const server =
    certificate === undefined
      ? http.createServer(answer)
      : https.createServer({ cert: certificate.chain, key: certificate.key }, answer)
  let connections = 0
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
