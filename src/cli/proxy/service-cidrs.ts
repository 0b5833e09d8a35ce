import type { ServiceCIDR } from '../../api/index.ts'
import type { Informer } from '../../informers/index.ts'

/** The ranges of ClusterIPs. */
export interface ServiceCIDRs {
  /** Resolves when they are known. */
  ready(signal: AbortSignal): Promise<void>
  current(): readonly string[]
  /** Calls `handler` when they are others; gives how to stop listening. */
  onChange(handler: () => void): () => void
}

/** Ranges that were told and never change. */
export const fixedServiceCIDRs = (cidrs: readonly string[]): ServiceCIDRs => ({
  ready: async () => {},
  current: () => cidrs,
  onChange: () => () => {},
})

/** The ranges of all ServiceCIDR objects: one that is being deleted still has addresses in use. */
export const watchedServiceCIDRs = (informer: Informer<ServiceCIDR>): ServiceCIDRs => {
  const current = (): readonly string[] => [...new Set(informer.list().flatMap(({ spec }) => spec.cidrs ?? []))].sort()
  return {
    ready: (signal) => informer.waitForSync(signal),
    current,
    onChange(handler) {
      let seen = current().join()
      return informer.onChange(() => {
        const now = current().join()
        if (now === seen) return
        seen = now
        handler()
      })
    },
  }
}
