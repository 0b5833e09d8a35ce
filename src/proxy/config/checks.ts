import { formatAddress, formatCIDR, parseAddress, readCIDR } from '../../ip/index.ts'
import { PROXY_MODES, type ProxyMode } from '../modes/index.ts'

/** Where a server listens. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Which of the node's addresses serve NodePorts: a keyword of kube-proxy's, or a range in canonical form. */
export type NodePortRange = { readonly kind: 'primary' | 'localhost' | 'all' } | { readonly kind: 'range'; readonly cidr: string }

export interface Refusal {
  readonly reason: string
}

export const checkMode = (text: string): ProxyMode | Refusal =>
  PROXY_MODES.find((mode) => mode === text) ?? { reason: `must be one of ${PROXY_MODES.join(', ')}, is "${text}"` }

export const checkCIDRs = (parts: readonly string[]): readonly string[] | Refusal => {
  const cidrs: string[] = []
  for (const part of parts) {
    const cidr = readCIDR(part)?.cidr
    if (cidr === undefined) return { reason: `"${part}" is not a CIDR such as 10.96.0.0/16` }
    cidrs.push(formatCIDR(cidr))
  }
  return cidrs
}

export const checkNodePortRanges = (parts: readonly string[]): readonly NodePortRange[] | Refusal => {
  const ranges: NodePortRange[] = []
  for (const part of parts) {
    if (part === 'primary' || part === 'localhost' || part === 'all') {
      ranges.push({ kind: part })
      continue
    }
    const address = parseAddress(part)
    const cidr = readCIDR(address === undefined ? part : `${part}/${address.family === 'IPv4' ? 32 : 128}`)?.cidr
    if (cidr === undefined) return { reason: `"${part}" is neither a CIDR nor primary, localhost or all` }
    ranges.push({ kind: 'range', cidr: formatCIDR(cidr) })
  }
  return ranges
}

/** `127.0.0.1:10256`, `[::]:10256`, or an address alone. */
export const checkEndpoint = (text: string, defaultPort: number): Endpoint | Refusal => {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const address = parseAddress(bracketed ?? plain ?? text)
  const number = port === undefined ? defaultPort : Number(port)
  if (address === undefined || number > 65_535)
    return { reason: `must be address:port such as 127.0.0.1:${defaultPort}, is "${text}"` }
  return { address: formatAddress(address), port: number }
}
