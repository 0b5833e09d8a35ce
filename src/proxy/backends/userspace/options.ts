import type { Clock } from '../../../base/index.ts'
import type { TcpForwarderOptions, UdpForwarderOptions } from '../../../l4/index.ts'
import type { SourceClass } from '../../../model/index.ts'
import type { LocalAddresses } from './local-addresses.ts'

export interface UserspaceBackendOptions {
  /** Made bindable at start where `localAddresses` is given; without root they lie in 127.0.0.0/8 and need nothing. */
  readonly serviceCIDRs: readonly string[]
  /** Left out when this user may not change routes. */
  readonly localAddresses?: LocalAddresses
  /** How long established connections may last after stop. */
  readonly drainMs?: number
  readonly clock?: Clock
  readonly random?: () => number
  readonly tcp?: Omit<TcpForwarderOptions, 'clock'>
  readonly udp?: Omit<UdpForwarderOptions, 'clock'>
  /** How sources are told apart; by their address and the node's when left out. */
  readonly classify?: (source: string, reached: string) => SourceClass
}
