import { isConflict, isNotFound, type ServiceCIDR, serviceCIDRKind } from '../../../api/index.ts'
import { type Clock, type Component, createBackoff, errorMessage, type Logger, type Running, sleep } from '../../../base/index.ts'
import type { Client } from '../../../client/index.ts'
import type { Allocators } from '../../allocators/index.ts'
import { SERVICE_CIDR_FINALIZER } from './strategy.ts'

export interface ServiceCIDRFinalizerOptions {
  readonly client: Client
  readonly allocators: Allocators
  readonly clock: Clock
  readonly log: Logger
}

/** Lets a ServiceCIDR that is being deleted go when no IPAddress lies in it alone any more. */
export const createServiceCIDRFinalizer = (options: ServiceCIDRFinalizerOptions): Component => ({
  name: 'service-cidr-finalizer',
  async start(signal) {
    return { stopped: run(options, signal) } satisfies Running
  },
})

const run = async (options: ServiceCIDRFinalizerOptions, signal: AbortSignal): Promise<void> => {
  const { allocators, clock, log } = options
  const backoff = createBackoff({ initialMs: 50, maxMs: 5_000, jitter: 0.2 })
  const changes = createBell(signal)
  const stop = allocators.onChange(changes.ring)
  try {
    while (!signal.aborted) {
      try {
        await releaseUnneeded(options)
        backoff.reset()
        await changes.rung()
      } catch (error) {
        log.warn('service-cidr-finalizer: could not release a ServiceCIDR, trying again', { error: errorMessage(error) })
        await sleep(clock, backoff.next(), signal)
      }
    }
  } finally {
    stop()
  }
}

const releaseUnneeded = async ({ allocators, client, log }: ServiceCIDRFinalizerOptions): Promise<void> => {
  await allocators.synced()
  for (const serviceCIDR of allocators.leaving()) {
    const { name } = serviceCIDR.metadata
    if (!isHeld(serviceCIDR) || allocators.addresses.isNeeded(name)) continue
    try {
      await client.update(serviceCIDRKind, withoutFinalizer(serviceCIDR))
      log.info('service-cidr-finalizer: released', { serviceCIDR: name, cidrs: serviceCIDR.spec.cidrs })
    } catch (error) {
      // Somebody else was faster; its change rings again.
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
}

const isHeld = ({ metadata }: ServiceCIDR): boolean => (metadata.finalizers ?? []).includes(SERVICE_CIDR_FINALIZER)

const withoutFinalizer = (object: ServiceCIDR): ServiceCIDR => ({
  ...object,
  metadata: {
    ...object.metadata,
    finalizers: object.metadata.finalizers?.filter((finalizer) => finalizer !== SERVICE_CIDR_FINALIZER),
  },
})

/** Remembers that it was rung; `rung` resolves then, or on abort. */
const createBell = (signal: AbortSignal): { ring(): void; rung(): Promise<void> } => {
  let isRung = false
  let wake: (() => void) | undefined
  const ring = (): void => {
    isRung = true
    wake?.()
  }
  signal.addEventListener('abort', ring, { once: true })
  return {
    ring,
    async rung() {
      if (!isRung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      isRung = false
      wake = undefined
    },
  }
}
