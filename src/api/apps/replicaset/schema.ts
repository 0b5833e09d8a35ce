import { always, type Infer, int32, int64, list, object, oneOf, optional, required, string, time } from '../../../schema/index.ts'
import { podTemplateSpecSchema } from '../../core/pod/pod-spec.ts'
import { labelSelectorSchema } from '../../meta/label-selector.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const replicaSetSpecSchema = object('ReplicaSetSpec', {
  replicas: optional(1, int32()),
  selector: required(2, labelSelectorSchema),
  template: optional(3, podTemplateSpecSchema),
  minReadySeconds: optional(4, int32()),
})
export type ReplicaSetSpec = Infer<typeof replicaSetSpecSchema>

const replicaSetConditionSchema = object('ReplicaSetCondition', {
  type: required(1, string()),
  status: required(2, oneOf('True', 'False', 'Unknown')),
  lastTransitionTime: optional(3, time()),
  reason: optional(4, string()),
  message: optional(5, string()),
})
export type ReplicaSetCondition = Infer<typeof replicaSetConditionSchema>

const replicaSetStatusSchema = object('ReplicaSetStatus', {
  replicas: required(1, int32()),
  fullyLabeledReplicas: optional(2, int32()),
  observedGeneration: optional(3, int64()),
  readyReplicas: optional(4, int32()),
  availableReplicas: optional(5, int32()),
  conditions: optional(6, list(replicaSetConditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' })),
  terminatingReplicas: optional(7, int32()),
})
export type ReplicaSetStatus = Infer<typeof replicaSetStatusSchema>

export const replicaSetSchema = object(
  'ReplicaSet',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, replicaSetSpecSchema),
    status: optional(3, replicaSetStatusSchema),
  },
  { doc: 'Keeps a number of equal pods running.' },
)
export type ReplicaSet = Infer<typeof replicaSetSchema>
