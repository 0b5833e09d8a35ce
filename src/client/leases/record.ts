import type { Lease } from '../../api/index.ts'

/** Who wants a lease. */
export interface Holder {
  readonly identity: string
  /** Wall clock: for people to read, never compared. */
  readonly nowMs: number
  readonly leaseDurationMs: number
}

/** The lease in new hands. */
export const acquired = (lease: Lease, { identity, nowMs, leaseDurationMs }: Holder): Lease => ({
  ...lease,
  spec: {
    ...lease.spec,
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000),
    acquireTime: microTime(nowMs),
    renewTime: microTime(nowMs),
    leaseTransitions: (lease.spec.leaseTransitions ?? 0) + 1,
  },
})

/** The lease in the same hands for longer. */
export const renewed = (lease: Lease, { identity, nowMs, leaseDurationMs }: Holder): Lease => ({
  ...lease,
  spec: {
    ...lease.spec,
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000),
    renewTime: microTime(nowMs),
  },
})

/** The lease in nobody's hands: without a holder, as an empty one is refused. */
export const released = (lease: Lease, nowMs: number): Lease => {
  const { holderIdentity: _, ...spec } = lease.spec
  return { ...lease, spec: { ...spec, leaseDurationSeconds: 1, acquireTime: microTime(nowMs), renewTime: microTime(nowMs) } }
}

const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z')
