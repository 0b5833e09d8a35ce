import { type IPAddress, ipAddressKind } from '../../../api/index.ts'
import type { Strategy } from '../strategy.ts'

/** IPAddresses of Services are written with the Service; those that anybody else makes are taken addresses like them. */
export const ipAddressStrategy: Strategy<IPAddress> = { kind: ipAddressKind }
