import type { Service } from '../../api/index.ts'
import type { ReferencedInformer } from '../../informers/index.ts'
import { split } from '../snapshot.ts'
import { entriesOfService, type StatusEntries } from './desired.ts'

/** Where clients find our Ingresses, as it is now. */
export interface Published {
  /** Undefined while it is not known: no status is touched then. */
  entries(): StatusEntries | undefined
  /** Returns how to stop listening. */
  onChange(handler: () => void): () => void
}

/** Addresses or names that somebody told. */
export const publishEntries = (entries: StatusEntries): Published => ({ entries: () => entries, onChange: () => () => {} })

/** What a Service (`namespace/name`) says; `services` follows it. One that was deleted is reached nowhere; one that was never there is not known. */
export const publishService = (services: ReferencedInformer<Service>, key: string): Published => {
  let isGone = false
  services.onChange(({ type, object }) => {
    if (`${object.metadata.namespace}/${object.metadata.name}` === key) isGone = type === 'deleted'
  })
  return {
    entries() {
      const service = services.get(...split(key))
      if (service === undefined) return isGone ? [] : undefined
      return entriesOfService(service)
    },
    onChange: (handler) => services.onChange(() => handler()),
  }
}
