import type { FlowProtocol } from './entries.ts'

/** linux/netfilter/nfnetlink_conntrack.h */
const CTNETLINK = 1 << 8
export const MESSAGE = { new: CTNETLINK | 0, get: CTNETLINK | 1, delete: CTNETLINK | 2 } as const
export const CTA = { original: 1, reply: 2, status: 3, timeout: 7, mark: 8, id: 12, zone: 18, filter: 25 } as const
export const TUPLE = { address: 1, protocol: 2, zone: 3 } as const
export const IP = { IPv4: { source: 1, destination: 2 }, IPv6: { source: 3, destination: 4 } } as const
export const PROTOCOL = { number: 1, source: 2, destination: 3 } as const
/** Parts of a tuple that a dump is filtered by (Linux 5.8; older kernels give everything, so callers filter again). */
export const FILTER = {
  original: 1,
  address: { destination: 1 << 1 },
  protocol: { number: 1 << 3, destination: 1 << 5 },
} as const
/** IPS_SEEN_REPLY, linux/netfilter/nf_conntrack_common.h */
export const STATUS_SEEN_REPLY = 1 << 1
export const AF = { IPv4: 2, IPv6: 10 } as const
export const PROTOCOL_NUMBER: Readonly<Record<FlowProtocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 }
