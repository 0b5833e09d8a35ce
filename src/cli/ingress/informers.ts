import {
  configMapKind,
  endpointSliceKind,
  ingressClassKind,
  ingressKind,
  type Service,
  secretKind,
  serviceKind,
} from '../../api/index.ts'
import type { Clock, Logger } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { createInformer, createReferencedInformer, type ReferencedInformer } from '../../informers/index.ts'
import type { IngressInformers, ReferencedObjects } from '../../ingress/index.ts'
import { sliceIndexes } from '../../model/index.ts'

export interface StandaloneInformers extends IngressInformers, ReferencedObjects {
  /** ConfigMaps of TCP and UDP services. */
  readonly streamConfigMaps: ReferencedObjects['configMaps']
  /** The one that is published. */
  readonly published: ReferencedInformer<Service>
}

export interface InformerDeps {
  readonly client: Client
  readonly namespace: string | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** What an Ingress controller follows: lists of what carries no secret, and by name alone what may. None is started. */
export const ingressInformers = ({ namespace, ...deps }: InformerDeps): StandaloneInformers => {
  const scoped = { ...deps, ...(namespace === undefined ? {} : { namespace }) }
  return {
    ingresses: createInformer({ ...scoped, kind: ingressKind }),
    ingressClasses: createInformer({ ...deps, kind: ingressClassKind }),
    services: createInformer({ ...scoped, kind: serviceKind }),
    slices: createInformer({ ...scoped, kind: endpointSliceKind, indexes: sliceIndexes }),
    secrets: createReferencedInformer({ ...deps, kind: secretKind }),
    configMaps: createReferencedInformer({ ...deps, kind: configMapKind }),
    streamConfigMaps: createReferencedInformer({ ...deps, kind: configMapKind }),
    published: createReferencedInformer({ ...deps, kind: serviceKind }),
  }
}
