import {
  always,
  any,
  boolean,
  type Infer,
  int32,
  int64,
  list,
  map,
  object,
  oneOf,
  optional,
  quantity,
  required,
  string,
  time,
} from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const taintSchema = object('Taint', {
  key: required(1, string()),
  value: optional(2, string()),
  effect: required(3, string()),
  timeAdded: optional(4, time()),
})
export type Taint = Infer<typeof taintSchema>

const configMapNodeConfigSourceSchema = object('ConfigMapNodeConfigSource', {
  namespace: required(1, string()),
  name: required(2, string()),
  uid: optional(3, string()),
  resourceVersion: optional(4, string()),
  kubeletConfigKey: required(5, string()),
})
export type ConfigMapNodeConfigSource = Infer<typeof configMapNodeConfigSourceSchema>

const nodeConfigSourceSchema = object('NodeConfigSource', {
  configMap: optional(2, configMapNodeConfigSourceSchema),
})
export type NodeConfigSource = Infer<typeof nodeConfigSourceSchema>

const nodeSpecSchema = object('NodeSpec', {
  podCIDR: optional(1, string()),
  externalID: optional(2, string()),
  providerID: optional(3, string()),
  unschedulable: optional(4, boolean()),
  taints: optional(5, list(taintSchema, { type: 'atomic' })),
  configSource: optional(6, nodeConfigSourceSchema),
  podCIDRs: optional(7, list(string(), { type: 'set', patch: 'merge' })),
})
export type NodeSpec = Infer<typeof nodeSpecSchema>

const nodeAddressSchema = object('NodeAddress', {
  type: required(1, string()),
  address: required(2, string()),
})
export type NodeAddress = Infer<typeof nodeAddressSchema>

const nodeConditionSchema = object('NodeCondition', {
  type: required(1, string()),
  status: required(2, oneOf('True', 'False', 'Unknown')),
  lastHeartbeatTime: optional(3, time()),
  lastTransitionTime: optional(4, time()),
  reason: optional(5, string()),
  message: optional(6, string()),
})
export type NodeCondition = Infer<typeof nodeConditionSchema>

const daemonEndpointSchema = object('DaemonEndpoint', {
  Port: required(1, int32()),
})
export type DaemonEndpoint = Infer<typeof daemonEndpointSchema>

const nodeDaemonEndpointsSchema = object('NodeDaemonEndpoints', {
  kubeletEndpoint: optional(1, daemonEndpointSchema),
})
export type NodeDaemonEndpoints = Infer<typeof nodeDaemonEndpointsSchema>

const nodeSystemInfoSchema = object('NodeSystemInfo', {
  machineID: required(1, string()),
  systemUUID: required(2, string()),
  bootID: required(3, string()),
  kernelVersion: required(4, string()),
  osImage: required(5, string()),
  containerRuntimeVersion: required(6, string()),
  kubeletVersion: required(7, string()),
  kubeProxyVersion: required(8, string()),
  operatingSystem: required(9, string()),
  architecture: required(10, string()),
  swap: optional(11, any()),
})
export type NodeSystemInfo = Infer<typeof nodeSystemInfoSchema>

const containerImageSchema = object('ContainerImage', {
  names: optional(1, list(string(), { type: 'atomic' })),
  sizeBytes: optional(2, int64()),
})
export type ContainerImage = Infer<typeof containerImageSchema>

const attachedVolumeSchema = object('AttachedVolume', {
  name: required(1, string()),
  devicePath: required(2, string()),
})
export type AttachedVolume = Infer<typeof attachedVolumeSchema>

const nodeConfigStatusSchema = object('NodeConfigStatus', {
  assigned: optional(1, nodeConfigSourceSchema),
  active: optional(2, nodeConfigSourceSchema),
  lastKnownGood: optional(3, nodeConfigSourceSchema),
  error: optional(4, string()),
})
export type NodeConfigStatus = Infer<typeof nodeConfigStatusSchema>

const nodeRuntimeHandlerFeaturesSchema = object('NodeRuntimeHandlerFeatures', {
  recursiveReadOnlyMounts: optional(1, boolean()),
  userNamespaces: optional(2, boolean()),
})
export type NodeRuntimeHandlerFeatures = Infer<typeof nodeRuntimeHandlerFeaturesSchema>

const nodeRuntimeHandlerSchema = object('NodeRuntimeHandler', {
  name: optional(1, string()),
  features: optional(2, nodeRuntimeHandlerFeaturesSchema),
})
export type NodeRuntimeHandler = Infer<typeof nodeRuntimeHandlerSchema>

const nodeFeaturesSchema = object('NodeFeatures', {
  supplementalGroupsPolicy: optional(1, boolean()),
})
export type NodeFeatures = Infer<typeof nodeFeaturesSchema>

const nodeStatusSchema = object('NodeStatus', {
  capacity: optional(1, map(quantity())),
  allocatable: optional(2, map(quantity())),
  phase: optional(3, string()),
  conditions: optional(4, list(nodeConditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' })),
  addresses: optional(5, list(nodeAddressSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' })),
  daemonEndpoints: optional(6, nodeDaemonEndpointsSchema),
  nodeInfo: optional(7, nodeSystemInfoSchema),
  images: optional(8, list(containerImageSchema, { type: 'atomic' })),
  volumesInUse: optional(9, list(string(), { type: 'atomic' })),
  volumesAttached: optional(10, list(attachedVolumeSchema, { type: 'atomic' })),
  config: optional(11, nodeConfigStatusSchema),
  runtimeHandlers: optional(12, list(nodeRuntimeHandlerSchema, { type: 'atomic' })),
  features: optional(13, nodeFeaturesSchema),
  declaredFeatures: optional(undefined, list(string(), { type: 'atomic' })),
})
export type NodeStatus = Infer<typeof nodeStatusSchema>

export const nodeSchema = object(
  'Node',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, nodeSpecSchema),
    status: optional(3, nodeStatusSchema),
  },
  { doc: 'A machine that runs pods.' },
)
export type Node = Infer<typeof nodeSchema>
