import type { Deployment } from '../../apps/deployment/schema.ts'
import type { ReplicaSet } from '../../apps/replicaset/schema.ts'
import { formatLabelSelector } from '../../meta/selector.ts'
import type { Scale } from './schema.ts'

/** What the `scale` subresource shows of a workload. */
export const scaleOf = ({ metadata, spec, status }: Deployment | ReplicaSet): Scale => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, selector: formatLabelSelector(spec.selector) },
  }
}

/** A workload with the number of replicas of a Scale, and its precondition if it has one. */
export const withScale = <T extends Deployment | ReplicaSet>(object: T, scale: Scale): T => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: scale.metadata.resourceVersion || object.metadata.resourceVersion },
  spec: { ...object.spec, replicas: scale.spec.replicas ?? 0 },
})
