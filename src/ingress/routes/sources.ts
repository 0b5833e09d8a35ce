import type { ConfigMap, EndpointSlice, Ingress, Secret, Service } from '../../api/index.ts'

/** What routes are made of beside Ingresses; read when a part is compiled. Keys are `namespace/name`. */
export interface RouteSources {
  service(key: string): Service | undefined
  slices(service: string): readonly EndpointSlice[]
  secret(key: string): Secret | undefined
  /** Why a Secret may not be read; undefined when it may. */
  secretRefusal?(key: string): string | undefined
  /** Annotations may refer to them; who hands none in has none. */
  configMap?(key: string): ConfigMap | undefined
  /**
   * The raw data of the ConfigMaps that set defaults for an Ingress: its class's `spec.parameters` over those for all. Who hands them in puts the Ingress anew
   * (`setIngress`) when they change.
   */
  defaults?(ingress: Ingress): Readonly<Record<string, string>>
  /** Where https is served, for redirects; 443 when left out. */
  readonly httpsPort?: number
  readonly nowMs: number
}
