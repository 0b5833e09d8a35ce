import type {
  Deployment,
  EndpointSlice,
  Endpoints,
  Kind,
  KubeObject,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  Service,
} from '../api/index.ts'
import type { Indexes, Informer } from '../informers/index.ts'
import { sliceIndexes } from '../model/index.ts'
import { hasTopologyMode } from './endpointslice/hints.ts'
import { controllerOf } from './ownership.ts'
import { labelTerms, narrowestTerm } from './selection.ts'

/** The informers that the controllers share with the rest of the process; their indexes must include `controllerIndexes`. */
export interface ControllerInformers {
  readonly pods: Informer<Pod>
  readonly services: Informer<Service>
  readonly nodes: Informer<Node>
  readonly namespaces: Informer<Namespace>
  readonly endpoints: Informer<Endpoints>
  readonly endpointSlices: Informer<EndpointSlice>
  readonly replicaSets: Informer<ReplicaSet>
  readonly deployments: Informer<Deployment>
  /** Every kind that can be owned or live in a namespace, these included: for garbage collection and namespace deletion. */
  readonly all: readonly KindInformer[]
}

export interface KindInformer {
  readonly kind: Kind
  readonly informer: Informer<KubeObject>
}

/** The indexes that the controllers ask; merge them into those of each informer. */
export const controllerIndexes = {
  pods: {
    /** `namespace/key=value` for every label. */
    label: labelTerms,
    /** uid of the controller. */
    controller: (pod) => controllerUid(pod),
    node: ({ spec }) => (spec.nodeName ? [spec.nodeName] : []),
  } satisfies Indexes<Pod>,
  services: {
    /** One `namespace/key=value` of the selector: every pod that it selects has this label. */
    selectorTerm: (service) => narrowestTerm(service.metadata.namespace, service.spec.selector),
    /** `auto`: their hints depend on all Nodes. */
    topologyMode: (service) => (hasTopologyMode(service) ? ['auto'] : []),
  } satisfies Indexes<Service>,
  endpointSlices: sliceIndexes satisfies Indexes<EndpointSlice>,
  replicaSets: {
    label: labelTerms,
    controller: (replicaSet) => controllerUid(replicaSet),
    selectorTerm: ({ metadata, spec }) => narrowestTerm(metadata.namespace, spec.selector.matchLabels),
  } satisfies Indexes<ReplicaSet>,
  deployments: {
    selectorTerm: ({ metadata, spec }) => narrowestTerm(metadata.namespace, spec.selector.matchLabels),
  } satisfies Indexes<Deployment>,
} as const

const controllerUid = (object: Pod | ReplicaSet): readonly string[] => {
  const controller = controllerOf(object)
  return controller ? [controller.uid] : []
}
