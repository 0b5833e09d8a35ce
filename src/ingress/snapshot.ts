import type { ConfigMap, EndpointSlice, Ingress, IngressClass, Secret, Service } from '../api/index.ts'
import type { Informer, ReferencedInformer } from '../informers/index.ts'
import type { RouteSources } from './routes/index.ts'

/** The caches that the Ingress reads; whoever made them starts them. */
export interface IngressInformers {
  readonly ingresses: Informer<Ingress>
  readonly ingressClasses: Informer<IngressClass>
  readonly services: Informer<Service>
  /** With the index `service` (`sliceIndexes` of src/model). */
  readonly slices: Informer<EndpointSlice>
}

/** The caches of objects that are read only when an Ingress, a class or a setting refers to them. */
export interface ReferencedObjects {
  readonly secrets: ReferencedInformer<Secret>
  readonly configMaps: ReferencedInformer<ConfigMap>
}

/** The caches as the compilers of routes see them. */
export const routeSources = (
  informers: IngressInformers & ReferencedObjects,
  rest: Pick<RouteSources, 'defaults' | 'httpsPort' | 'nowMs'>,
): RouteSources => ({
  ...rest,
  service: (key) => informers.services.get(...split(key)),
  slices: (service) => informers.slices.byIndex('service', service),
  secret: (key) => informers.secrets.get(...split(key)),
  secretRefusal: (key) => informers.secrets.refusal(key),
  configMap: (key) => informers.configMaps.get(...split(key)),
})

/** `namespace/name` as a lister takes it. */
export const split = (key: string): [namespace: string, name: string] => {
  const slash = key.indexOf('/')
  return [key.slice(0, slash), key.slice(slash + 1)]
}
