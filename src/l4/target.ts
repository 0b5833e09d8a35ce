/** Where traffic goes. */
export interface Target {
  readonly address: string
  readonly port: number
}

/** The peer of an accepted connection or of a datagram, and where it arrived. */
export interface Client {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
}

export const isFamily6 = (address: string): boolean => address.includes(':')

/** A dual-stack socket shows IPv4 peers as `::ffff:a.b.c.d`. */
export const plainAddress = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address)
