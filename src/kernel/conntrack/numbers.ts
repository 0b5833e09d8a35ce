import type { FlowProtocol } from './entries.ts'

/** NFNL_SUBSYS_CTNETLINK in the upper byte of a message's type; linux/netfilter/nfnetlink.h. */
const CTNETLINK = 1 << 8
/** Types of messages and attributes: linux/netfilter/nfnetlink_conntrack.h. */
export const MESSAGE = { new: CTNETLINK | 0, get: CTNETLINK | 1, delete: CTNETLINK | 2 } as const
/** Attributes of an entry. */
export const CTA = { original: 1, reply: 2, status: 3, timeout: 7, mark: 8, id: 12, zone: 18, filter: 25 } as const
/** Attributes of a tuple. */
export const TUPLE = { address: 1, protocol: 2, zone: 3 } as const
/** Attributes of its addresses. */
export const IP = { IPv4: { source: 1, destination: 2 }, IPv6: { source: 3, destination: 4 } } as const
/** Attributes of its protocol and ports. */
export const PROTOCOL = { number: 1, source: 2, destination: 3 } as const
/** Parts of a tuple that a dump is filtered by (Linux 5.8; older kernels give everything, so callers filter again). */
export const FILTER = {
  original: 1,
  address: { destination: 1 << 1 },
  protocol: { number: 1 << 3, destination: 1 << 5 },
} as const
/** IPS_SEEN_REPLY, linux/netfilter/nf_conntrack_common.h */
export const STATUS_SEEN_REPLY = 1 << 1
/** Address families, linux/socket.h. */
export const AF = { IPv4: 2, IPv6: 10 } as const
/** IANA protocol numbers. */
export const PROTOCOL_NUMBER: Readonly<Record<FlowProtocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 }
