import { isNotFound, type Service, type ServiceStatus, serviceKind } from '../api/index.ts'
import type { Client } from '../client/index.ts'
import type { Lister } from '../informers/index.ts'
import { CLEANUP_FINALIZER, formatPlacement, hasFinalizer, PLACEMENT_ANNOTATION } from './placement.ts'
import type { Placement } from './provider.ts'

/**
 * Writes to Services, each guarded by the version that it was decided on: a cache that is behind, or another writer, makes a conflict and never a wrong write.
 * What is there already is not written.
 */
export interface ServiceWriter {
  /** As the cache has it, or as the last own write left it where the cache does not show that yet. */
  get(namespace: string, name: string): Service | undefined
  /** Finalizer and placement in one write. */
  place(service: Service, placement: Placement): Promise<Service>
  annotate(service: Service, annotations: Readonly<Record<string, string | null>>): Promise<Service>
  setStatus(service: Service, status: ServiceStatus): Promise<Service>
  /** Takes away the placement, and the finalizer unless it `keepsFinalizer`. */
  release(service: Service, keepsFinalizer: boolean): Promise<Service | undefined>
}

export interface ServiceWriterOptions {
  readonly client: Pick<Client, 'patch'>
  readonly services: Pick<Lister<Service>, 'get'>
  /** Told of each write. */
  readonly wrote: (what: 'metadata' | 'status') => void
}

interface Written {
  readonly object: Service
  /** Versions that `object` came after. */
  readonly superseded: ReadonlySet<string>
}

export const createServiceWriter = ({ client, services, wrote }: ServiceWriterOptions): ServiceWriter => {
  const ahead = new Map<string, Written>()

  const remember = (before: Service, object: Service): Service => {
    const uid = object.metadata.uid ?? ''
    const superseded = new Set(ahead.get(uid)?.superseded).add(before.metadata.resourceVersion ?? '')
    ahead.set(uid, { object, superseded })
    return object
  }
  const patch = async (service: Service, value: Readonly<Record<string, unknown>>, subresource?: 'status'): Promise<Service> => {
    const { namespace = '', name, resourceVersion } = service.metadata
    const guarded = { ...value, metadata: { ...(value['metadata'] as object | undefined), resourceVersion } }
    const options = subresource === undefined ? {} : { subresource }
    const object = await client.patch(serviceKind, { namespace, name }, { type: 'merge', value: guarded }, options)
    wrote(subresource ?? 'metadata')
    return remember(service, object)
  }
  return {
    get(namespace, name) {
      const cached = services.get(namespace, name)
      const uid = cached?.metadata.uid ?? ''
      const own = ahead.get(uid)
      if (cached === undefined || own === undefined) return cached
      if (own.superseded.has(cached.metadata.resourceVersion ?? '')) return own.object
      ahead.delete(uid)
      return cached
    },
    async place(service, placement) {
      const annotations = { [PLACEMENT_ANNOTATION]: formatPlacement(placement) }
      if (hasFinalizer(service) && hasAnnotations(service, annotations)) return service
      const finalizers = [...new Set([...(service.metadata.finalizers ?? []), CLEANUP_FINALIZER])]
      return patch(service, { metadata: { annotations, finalizers } })
    },
    async annotate(service, annotations) {
      return hasAnnotations(service, annotations) ? service : patch(service, { metadata: { annotations } })
    },
    setStatus: (service, status) => patch(service, { status }, 'status'),
    async release(service, keepsFinalizer) {
      const others = (service.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER)
      const finalizers = keepsFinalizer ? {} : { finalizers: others }
      try {
        return await patch(service, { metadata: { annotations: { [PLACEMENT_ANNOTATION]: null }, ...finalizers } })
      } catch (error) {
        if (!isNotFound(error)) throw error
        return undefined
      } finally {
        if (!keepsFinalizer && service.metadata.deletionTimestamp !== undefined) ahead.delete(service.metadata.uid ?? '')
      }
    },
  }
}

const hasAnnotations = ({ metadata }: Service, wanted: Readonly<Record<string, string | null>>): boolean =>
  Object.entries(wanted).every(([name, value]) => (metadata.annotations?.[name] ?? null) === value)
