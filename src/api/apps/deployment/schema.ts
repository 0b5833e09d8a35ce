import {
  always,
  boolean,
  type Infer,
  int32,
  int64,
  intOrString,
  list,
  object,
  oneOf,
  optional,
  required,
  string,
  time,
} from '../../../schema/index.ts'
import { podTemplateSpecSchema } from '../../core/pod/pod-spec.ts'
import { labelSelectorSchema } from '../../meta/label-selector.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const rollingUpdateDeploymentSchema = object('RollingUpdateDeployment', {
  maxUnavailable: optional(1, intOrString()),
  maxSurge: optional(2, intOrString()),
})
export type RollingUpdateDeployment = Infer<typeof rollingUpdateDeploymentSchema>

const deploymentStrategySchema = object(
  'DeploymentStrategy',
  {
    type: optional(1, oneOf('RollingUpdate', 'Recreate')),
    rollingUpdate: optional(2, rollingUpdateDeploymentSchema),
  },
  { patch: 'retainKeys' },
)
export type DeploymentStrategy = Infer<typeof deploymentStrategySchema>

const deploymentSpecSchema = object('DeploymentSpec', {
  replicas: optional(1, int32()),
  selector: required(2, labelSelectorSchema),
  template: required(3, podTemplateSpecSchema),
  strategy: optional(4, deploymentStrategySchema),
  minReadySeconds: optional(5, int32()),
  revisionHistoryLimit: optional(6, int32()),
  paused: optional(7, boolean()),
  progressDeadlineSeconds: optional(9, int32()),
})
export type DeploymentSpec = Infer<typeof deploymentSpecSchema>

const deploymentConditionSchema = object('DeploymentCondition', {
  type: required(1, string()),
  status: required(2, oneOf('True', 'False', 'Unknown')),
  reason: optional(4, string()),
  message: optional(5, string()),
  lastUpdateTime: optional(6, time()),
  lastTransitionTime: optional(7, time()),
})
export type DeploymentCondition = Infer<typeof deploymentConditionSchema>

const deploymentStatusSchema = object('DeploymentStatus', {
  observedGeneration: optional(1, int64()),
  replicas: optional(2, int32()),
  updatedReplicas: optional(3, int32()),
  availableReplicas: optional(4, int32()),
  unavailableReplicas: optional(5, int32()),
  conditions: optional(6, list(deploymentConditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' })),
  readyReplicas: optional(7, int32()),
  collisionCount: optional(8, int32()),
  terminatingReplicas: optional(9, int32()),
})
export type DeploymentStatus = Infer<typeof deploymentStatusSchema>

export const deploymentSchema = object(
  'Deployment',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, deploymentSpecSchema),
    status: optional(3, deploymentStatusSchema),
  },
  { doc: 'A number of equal pods, and how to replace them when their template changes.' },
)
export type Deployment = Infer<typeof deploymentSchema>
