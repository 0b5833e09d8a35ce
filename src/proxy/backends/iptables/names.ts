import { createHash } from 'node:crypto'
import type { TableName } from '../../../kernel/iptables/index.ts'
import type { Forwarding, PortForwarding, Target } from '../../../model/index.ts'

/** What kube-proxy calls a Service port in comments and hashes: `ns/web:http`, or `ns/web` where the port has no name. */
export const portName = ({ namespace, name }: Forwarding, port: PortForwarding): string =>
  `${namespace}/${name}${port.name === '' ? '' : `:${port.name}`}`

/** The chains of a Service port, each with kube-proxy's hash: cluster set, local set, external destinations, source filter. */
export interface PortChains {
  readonly cluster: string
  readonly local: string
  readonly external: string
  readonly firewall: string
}

export const portChains = (name: string, protocol: string): PortChains => {
  const hash = hash16(`${name}${protocol}`)
  return { cluster: `KUBE-SVC-${hash}`, local: `KUBE-SVL-${hash}`, external: `KUBE-EXT-${hash}`, firewall: `KUBE-FW-${hash}` }
}

/** `target` as {@link targetText} gives it. */
export const endpointChain = (name: string, protocol: string, target: string): string =>
  `KUBE-SEP-${hash16(`${name}${protocol}${target}`)}`

/** As DNAT takes it. */
export const targetText = ({ address, port }: Target): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** The first 16 characters of the SHA-256 in base32 (pkg/proxy/iptables `portProtoHash`). */
const hash16 = (text: string): string => {
  const digest = createHash('sha256').update(text).digest()
  let letters = ''
  for (let bit = 0; bit < 80; bit += 5) {
    const pair = ((digest[bit >> 3] ?? 0) << 8) | (digest[(bit >> 3) + 1] ?? 0)
    letters += BASE32.charAt((pair >> (11 - (bit & 7))) & 31)
  }
  return letters
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

const PORT_CHAIN = /^KUBE-(?:SVC|SVL|EXT|FW|SEP|XLB)-[A-Z2-7]{16}$/

/** Whether a chain has one of the names of Service ports and endpoints, or had it in older versions of kube-proxy. */
export const isPortChain = (table: TableName, chain: string): boolean => table === 'nat' && PORT_CHAIN.test(chain)
