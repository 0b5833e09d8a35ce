import { type Infer, int32, int64, list, object, oneOf, optional, required, string } from '../../../schema/index.ts'
import { labelSelectorSchema } from '../../meta/label-selector.ts'

const nodeSelectorRequirementSchema = object('NodeSelectorRequirement', {
  key: required(1, string()),
  operator: required(2, oneOf('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt')),
  values: optional(3, list(string(), { type: 'atomic' })),
})
export type NodeSelectorRequirement = Infer<typeof nodeSelectorRequirementSchema>

const nodeSelectorTermSchema = object(
  'NodeSelectorTerm',
  {
    matchExpressions: optional(1, list(nodeSelectorRequirementSchema, { type: 'atomic' })),
    matchFields: optional(2, list(nodeSelectorRequirementSchema, { type: 'atomic' })),
  },
  { atomic: true },
)
export type NodeSelectorTerm = Infer<typeof nodeSelectorTermSchema>

const nodeSelectorSchema = object(
  'NodeSelector',
  {
    nodeSelectorTerms: required(1, list(nodeSelectorTermSchema, { type: 'atomic' })),
  },
  { atomic: true },
)
export type NodeSelector = Infer<typeof nodeSelectorSchema>

const preferredSchedulingTermSchema = object('PreferredSchedulingTerm', {
  weight: required(1, int32()),
  preference: required(2, nodeSelectorTermSchema),
})
export type PreferredSchedulingTerm = Infer<typeof preferredSchedulingTermSchema>

const nodeAffinitySchema = object('NodeAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: optional(1, nodeSelectorSchema),
  preferredDuringSchedulingIgnoredDuringExecution: optional(2, list(preferredSchedulingTermSchema, { type: 'atomic' })),
})
export type NodeAffinity = Infer<typeof nodeAffinitySchema>

const podAffinityTermSchema = object('PodAffinityTerm', {
  labelSelector: optional(1, labelSelectorSchema),
  namespaces: optional(2, list(string(), { type: 'atomic' })),
  topologyKey: required(3, string()),
  namespaceSelector: optional(4, labelSelectorSchema),
  matchLabelKeys: optional(5, list(string(), { type: 'atomic' })),
  mismatchLabelKeys: optional(6, list(string(), { type: 'atomic' })),
})
export type PodAffinityTerm = Infer<typeof podAffinityTermSchema>

const weightedPodAffinityTermSchema = object('WeightedPodAffinityTerm', {
  weight: required(1, int32()),
  podAffinityTerm: required(2, podAffinityTermSchema),
})
export type WeightedPodAffinityTerm = Infer<typeof weightedPodAffinityTermSchema>

const podAffinitySchema = object('PodAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: optional(1, list(podAffinityTermSchema, { type: 'atomic' })),
  preferredDuringSchedulingIgnoredDuringExecution: optional(2, list(weightedPodAffinityTermSchema, { type: 'atomic' })),
})
export type PodAffinity = Infer<typeof podAffinitySchema>

const podAntiAffinitySchema = object('PodAntiAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: optional(1, list(podAffinityTermSchema, { type: 'atomic' })),
  preferredDuringSchedulingIgnoredDuringExecution: optional(2, list(weightedPodAffinityTermSchema, { type: 'atomic' })),
})
export type PodAntiAffinity = Infer<typeof podAntiAffinitySchema>

export const affinitySchema = object('Affinity', {
  nodeAffinity: optional(1, nodeAffinitySchema),
  podAffinity: optional(2, podAffinitySchema),
  podAntiAffinity: optional(3, podAntiAffinitySchema),
})
export type Affinity = Infer<typeof affinitySchema>

export const tolerationSchema = object('Toleration', {
  key: optional(1, string()),
  operator: optional(2, string()),
  value: optional(3, string()),
  effect: optional(4, string()),
  tolerationSeconds: optional(5, int64()),
})
export type Toleration = Infer<typeof tolerationSchema>

export const topologySpreadConstraintSchema = object('TopologySpreadConstraint', {
  maxSkew: required(1, int32()),
  topologyKey: required(2, string()),
  whenUnsatisfiable: required(3, string()),
  labelSelector: optional(4, labelSelectorSchema),
  minDomains: optional(5, int32()),
  nodeAffinityPolicy: optional(6, string()),
  nodeTaintsPolicy: optional(7, string()),
  matchLabelKeys: optional(8, list(string(), { type: 'atomic' })),
})
export type TopologySpreadConstraint = Infer<typeof topologySpreadConstraintSchema>
