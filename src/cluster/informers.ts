import {
  configMapKind,
  deploymentKind,
  endpointSliceKind,
  endpointsKind,
  ingressClassKind,
  ingressKind,
  type Kind,
  type KubeObject,
  namespaceKind,
  nodeKind,
  podKind,
  replicaSetKind,
  scheme,
  secretKind,
  serviceKind,
} from '../api/index.ts'
import type { Clock, Logger } from '../base/index.ts'
import type { Client } from '../client/index.ts'
import { controllerIndexes, type KindInformer } from '../controllers/index.ts'
import { createInformer, type Indexes, type Informer } from '../informers/index.ts'
import { addressIndex } from './traffic.ts'

export type ClusterInformers = ReturnType<typeof createInformers>

export interface InformerDeps {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
}

/** One informer for each stored kind; everybody reads the same caches. */
export const createInformers = (deps: InformerDeps) => {
  const all: KindInformer[] = []
  const of = <T extends KubeObject>(kind: Kind<T>, indexes?: Indexes<T>): Informer<T> => {
    const informer = createInformer({ ...deps, kind, indexes })
    all.push({ kind, informer })
    return informer
  }
  const typed = {
    services: of(serviceKind, controllerIndexes.services),
    endpoints: of(endpointsKind),
    endpointSlices: of(endpointSliceKind, { ...controllerIndexes.endpointSlices, ...addressIndex }),
    pods: of(podKind, controllerIndexes.pods),
    nodes: of(nodeKind),
    namespaces: of(namespaceKind),
    configMaps: of(configMapKind),
    secrets: of(secretKind),
    deployments: of(deploymentKind, controllerIndexes.deployments),
    replicaSets: of(replicaSetKind, controllerIndexes.replicaSets),
    ingresses: of(ingressKind),
    ingressClasses: of(ingressClassKind),
  }
  // The others have owners and namespaces too.
  for (const kind of scheme) {
    if (kind.conversion === undefined && !all.some((known) => known.kind === kind)) of(kind)
  }
  return { ...typed, all: all as readonly KindInformer[] }
}
