import { ipAddressKind, serviceCIDRKind } from '../../api/index.ts'
import { kindPrefix, objectKey } from '../registry/keys.ts'
import type { Protocol } from './port-pool.ts'

export const IP_ADDRESS_PREFIX = kindPrefix(ipAddressKind)
export const SERVICE_CIDR_PREFIX = kindPrefix(serviceCIDRKind)
export const NODE_PORT_PREFIX = '/allocations/nodeports/'

/** The store key of the IPAddress object of an address in canonical text. */
export const ipAddressKey = (address: string): string => objectKey(ipAddressKind, undefined, address)

/** The store key that a Service holds while the node port is its own. */
export const nodePortKey = (protocol: Protocol, port: number): string => `${NODE_PORT_PREFIX}${protocol}/${port}`

/** What a node port key names; undefined for a key that is none. */
export const parseNodePortKey = (key: string): { readonly protocol: Protocol; readonly port: number } | undefined => {
  const match = /^(TCP|UDP|SCTP)\/(\d{1,5})$/.exec(key.slice(NODE_PORT_PREFIX.length))
  // The pattern admits only these protocols.
  return match === null ? undefined : { protocol: match[1] as Protocol, port: Number(match[2]) }
}
