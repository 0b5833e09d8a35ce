import { ApiError, type Problem, type Service } from '../../../api/index.ts'
import type { Clock } from '../../../base/index.ts'
import type { Condition, Store, Write } from '../../../store/index.ts'
import type { Allocators, Protocol } from '../../allocators/index.ts'

/** What planning one write of a Service works with. */
export interface PlanContext {
  readonly store: Store
  readonly clock: Clock
  readonly allocators: Allocators
  readonly ledger: Ledger
}

/** What a plan comes to: store conditions and writes, problems, and what is reserved in memory until its fate is known. */
export interface Ledger {
  readonly conditions: Condition[]
  readonly writes: Write[]
  readonly problems: Problem[]
  reserveAddress(address: string): void
  reservePort(protocol: Protocol, port: number): void
  /** Takes over a reservation that the pool made. */
  adoptAddress(address: string): void
  adoptPort(protocol: Protocol, port: number): void
  /** Ends all reservations. */
  release(): void
  /** The error of a range that has nothing left. */
  full(what: string): ApiError
}

export const createLedger = (allocators: Allocators): Ledger => {
  const undo: (() => void)[] = []
  const { addresses, ports } = allocators
  const ledger: Ledger = {
    conditions: [],
    writes: [],
    problems: [],
    reserveAddress(address) {
      addresses.reserve(address)
      ledger.adoptAddress(address)
    },
    reservePort(protocol, port) {
      ports.reserve(protocol, port)
      ledger.adoptPort(protocol, port)
    },
    adoptAddress: (address) => void undo.push(() => addresses.unreserve(address)),
    adoptPort: (protocol, port) => void undo.push(() => ports.unreserve(protocol, port)),
    release() {
      for (const step of undo.splice(0)) step()
    },
    full: (what) => new ApiError({ code: 500, reason: 'InternalError', message: `Internal error occurred: ${what}` }),
  }
  return ledger
}

/** Whether the stored value of a node port key names this Service. */
export const isOwnedBy = (value: Uint8Array, service: Service): boolean => {
  const { namespace, name } = service.metadata
  return Buffer.from(value).toString('utf8') === JSON.stringify({ namespace, name })
}
