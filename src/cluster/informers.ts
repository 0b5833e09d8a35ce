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
  secretKind,
  serviceKind,
} from '../api/index.ts'
import type { Clock, Logger } from '../base/index.ts'
import type { Client } from '../client/index.ts'
import { createInformer, type Indexes, type Informer } from '../informers/index.ts'
import { sliceIndexes } from '../model/index.ts'

export type ClusterInformers = ReturnType<typeof createInformers>

export interface InformerDeps {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
}

/** One informer for each kind; everybody reads the same caches. */
export const createInformers = (deps: InformerDeps) => {
  const of = <T extends KubeObject>(kind: Kind<T>, indexes?: Indexes<T>): Informer<T> =>
    createInformer({ ...deps, kind, indexes })
  return {
    services: of(serviceKind),
    endpoints: of(endpointsKind),
    endpointSlices: of(endpointSliceKind, sliceIndexes),
    pods: of(podKind),
    nodes: of(nodeKind),
    namespaces: of(namespaceKind),
    configMaps: of(configMapKind),
    secrets: of(secretKind),
    deployments: of(deploymentKind),
    replicaSets: of(replicaSetKind),
    ingresses: of(ingressKind),
    ingressClasses: of(ingressClassKind),
  }
}
