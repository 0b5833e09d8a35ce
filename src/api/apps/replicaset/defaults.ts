import { podTemplateDefaults } from '../../core/pod/defaults.ts'
import type { ReplicaSet, ReplicaSetSpec } from './schema.ts'

export const setReplicaSetDefaults = (replicaSet: ReplicaSet): ReplicaSet => {
  const spec: Partial<ReplicaSetSpec> = replicaSet.spec ?? {}
  return {
    ...replicaSet,
    metadata: replicaSet.metadata ?? {},
    spec: {
      ...replicaSet.spec,
      replicas: spec.replicas ?? 1,
      ...(spec.template === undefined ? {} : { template: podTemplateDefaults(spec.template) }),
    },
  }
}
