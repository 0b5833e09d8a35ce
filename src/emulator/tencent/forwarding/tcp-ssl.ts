import { type AddressInfo, connect } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import type { Listener, ListenerCertificate } from '../model.ts'
import { type Balancer, type Candidate, createBalancer } from './balancer.ts'
import { type BoundAt, bindPort } from './bind.ts'
import { balanceTargets, isToEnd, type OpenerDeps, type OpenListener } from './open-listener.ts'

const CONNECT_TIMEOUT_MS = 3_000

/** A TCP_SSL listener: ends TLS, and carries the bytes to a target. */
export const openTcpSsl = async (at: BoundAt, deps: OpenerDeps): Promise<OpenListener> => {
  const balancer = createBalancer(() => deps.clock.monotonic())
  const connections = new Map<TLSSocket, Candidate>()
  const server = createServer({ minVersion: 'TLSv1.2' })
  server.on('tlsClientError', (_, socket) => socket.destroy())
  server.on('secureConnection', (client) => {
    client.on('error', () => {})
    carry(client, balancer, { tried: [], connections })
  })
  await bindPort(at, deps.portOffset, (port) => listening(server, { address: at.address, port }))
  return {
    // A server that listens on an address has one of these.
    at: { address: at.address, port: (server.address() as AddressInfo).port },
    update: (listener) => {
      server.setSecureContext(contextOf(listener, deps))
      balanceTargets(balancer, listener, deps)
      const ends = isToEnd(listener)
      for (const [client, target] of connections) if (ends(target)) client.destroy()
    },
    close: () =>
      new Promise((resolve) => {
        server.close()
        setImmediate(resolve)
      }),
  }
}

const listening = (server: Server, { address, port }: BoundAt): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** Certificates that are not there any more leave a listener that ends every handshake. */
const contextOf = ({ certificate }: Listener, deps: OpenerDeps): TlsOptions => {
  const { chain, key } = (certificate && deps.certificate(certificate.ids[0] ?? '')) ?? {}
  return {
    minVersion: 'TLSv1.2',
    ...(chain !== undefined && key !== undefined && { cert: chain, key }),
    ...(certificate?.mode === 'MUTUAL' && mutual(certificate, deps)),
  }
}

const mutual = ({ caId }: ListenerCertificate, deps: OpenerDeps): TlsOptions => {
  const ca = deps.certificate(caId ?? '')?.chain
  return { requestCert: true, rejectUnauthorized: true, ...(ca !== undefined && { ca }) }
}

interface Attempt {
  readonly tried: readonly Candidate[]
  readonly connections: Map<TLSSocket, Candidate>
}

const carry = (client: TLSSocket, balancer: Balancer, { tried, connections }: Attempt): void => {
  const target = tried.length < 3 ? balancer.choose(client.remoteAddress ?? '', tried) : undefined
  if (target === undefined || client.destroyed) return void client.destroy()
  const upstream = connect({
    host: target.address,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
    autoSelectFamily: false,
  })
  upstream.setTimeout(CONNECT_TIMEOUT_MS, () => upstream.destroy())
  upstream.on('error', () => {})
  const again = (): void => carry(client, balancer, { tried: [...tried, target], connections })
  upstream.once('close', again)
  upstream.once('connect', () => {
    upstream.off('close', again)
    upstream.setTimeout(0)
    connections.set(client, target)
    balancer.opened(target)
    client.once('close', () => {
      connections.delete(client)
      balancer.closed(target)
      upstream.destroy()
    })
    upstream.once('close', () => client.destroySoon())
    client.pipe(upstream)
    upstream.pipe(client)
  })
}
