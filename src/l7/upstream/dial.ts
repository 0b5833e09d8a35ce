import { createHash } from 'node:crypto'
import type { Backend, BackendTls, Endpoint } from '../table/index.ts'

/** How a backend's endpoints are connected to; backends that connect alike share an endpoint's connections. */
export interface Dial {
  readonly protocol: 'http' | 'https' | 'h2c' | 'h2'
  readonly tls?: BackendTls | undefined
  /** Equal for equal ways; holds no secret. */
  readonly key: string
}

export const dialOf = ({ protocol = 'http', tls }: Backend): Dial => {
  if (protocol === 'http' || protocol === 'h2c') return { protocol, key: protocol }
  return { protocol, tls, key: `${protocol} ${digest(tlsText(tls), 32)}` }
}

/** Names an endpoint to clients (sticky cookies) and to consistent hashing: stable over restarts, workers and replicas. */
export const endpointId = ({ address, port }: Endpoint): string => digest(`${address} ${port}`, 16)

const digest = (text: string, digits: number): string => createHash('sha256').update(text).digest('hex').slice(0, digits)

const tlsText = (tls: BackendTls | undefined): string => {
  const { serverName, ca, verify, verifyDepth, clientCertificate, minVersion, maxVersion, ciphers } = tls ?? {}
  const { chain, key } = clientCertificate ?? {}
  const all = [serverName, ca, verify, verifyDepth, chain, key, minVersion, maxVersion, ciphers]
  return JSON.stringify(all.map((value) => value ?? null))
}
