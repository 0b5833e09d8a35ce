import { type Deployment, deploymentKind, type Node, nodeKind, type ReplicaSet, replicaSetKind } from '../../../api/index.ts'
import type { Strategy } from '../strategy.ts'

export const deploymentStrategy: Strategy<Deployment> = {
  kind: deploymentKind,
  prepareForCreate: (object) => ({ ...object, status: {} }),
  prepareForUpdate: (object, old) => ({ ...object, status: old.status }),
}

export const replicaSetStrategy: Strategy<ReplicaSet> = {
  kind: replicaSetKind,
  prepareForCreate: (object) => ({ ...object, status: { replicas: 0 } }),
  prepareForUpdate: (object, old) => ({ ...object, status: old.status }),
}

/** Nodes register with their status. */
export const nodeStrategy: Strategy<Node> = {
  kind: nodeKind,
  prepareForUpdate: (object, old) => ({ ...object, status: old.status }),
  prepareForStatusUpdate: (object, old) => ({
    ...old,
    metadata: { ...old.metadata, labels: object.metadata.labels, annotations: object.metadata.annotations },
    status: object.status,
  }),
}
