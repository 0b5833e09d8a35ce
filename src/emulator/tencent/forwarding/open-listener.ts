import type { Clock } from '../../../base/index.ts'
import type { TcpForwarder, UdpForwarder } from '../../../l4/index.ts'
import type { StoredCertificate } from '../certificates.ts'
import type { Listener, Target } from '../model.ts'
import { type Balancer, keyOf } from './balancer.ts'
import type { BoundAt } from './bind.ts'
import type { Checks } from './checks.ts'

/** A listener of a load balancer that has its socket. */
export interface OpenListener {
  readonly at: BoundAt
  /** Takes over the listener's settings and targets, and the health of these. */
  update(listener: Listener, context: UpdateContext): void
  /** Resolves when the port is free; TCP connections go on. */
  close(): Promise<void>
}

export interface UpdateContext {
  /** Where the other listeners of the load balancer really listen, for redirects. */
  portOf(listenerId: string): number | undefined
  /** The load balancer's other listeners. */
  readonly siblings: readonly Listener[]
}

export interface OpenerDeps {
  readonly clock: Clock
  readonly secondMs: number
  readonly portOffset: number
  readonly checks: Checks
  readonly tcp: TcpForwarder
  readonly udp: UdpForwarder
  certificate(id: string): StoredCertificate | undefined
}

/** Gives a listener's targets to its balancer. */
export const balanceTargets = (balancer: Balancer, listener: Listener, { checks, secondMs }: OpenerDeps): void =>
  balancer.update(
    listener.targets.map((target) => ({
      address: target.address,
      port: target.port,
      weight: target.weight,
      isDead: checks.healthOf(listener, target) === 'Dead',
    })),
    { scheduler: listener.scheduler, sessionMs: listener.sessionExpireTime * secondMs },
  )

/** Whether what goes to a target is to be ended: the target is gone and the listener resets it, or its weight is 0 and the listener moves it away. */
export const isToEnd = (listener: Listener): ((target: Pick<Target, 'address' | 'port'>) => boolean) => {
  const weights = new Map(listener.targets.map((target) => [keyOf(target), target.weight]))
  return (target) => {
    const weight = weights.get(keyOf(target))
    return weight === undefined ? listener.deregisterTargetRst : weight === 0 && listener.rescheduleTargetZeroWeight
  }
}
