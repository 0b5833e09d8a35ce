import {
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
import { resourceRequirementsSchema } from './container.ts'

const containerStateWaitingSchema = object('ContainerStateWaiting', {
  reason: optional(1, string()),
  message: optional(2, string()),
})
export type ContainerStateWaiting = Infer<typeof containerStateWaitingSchema>

const containerStateRunningSchema = object('ContainerStateRunning', {
  startedAt: optional(1, time()),
})
export type ContainerStateRunning = Infer<typeof containerStateRunningSchema>

const containerStateTerminatedSchema = object('ContainerStateTerminated', {
  exitCode: required(1, int32()),
  signal: optional(2, int32()),
  reason: optional(3, string()),
  message: optional(4, string()),
  startedAt: optional(5, time()),
  finishedAt: optional(6, time()),
  containerID: optional(7, string()),
})
export type ContainerStateTerminated = Infer<typeof containerStateTerminatedSchema>

const containerStateSchema = object('ContainerState', {
  waiting: optional(1, containerStateWaitingSchema),
  running: optional(2, containerStateRunningSchema),
  terminated: optional(3, containerStateTerminatedSchema),
})
export type ContainerState = Infer<typeof containerStateSchema>

const resourceHealthSchema = object('ResourceHealth', {
  resourceID: required(1, string()),
  health: optional(2, string()),
  message: optional(undefined, string()),
})
export type ResourceHealth = Infer<typeof resourceHealthSchema>

const resourceStatusSchema = object('ResourceStatus', {
  name: required(1, string()),
  resources: optional(2, list(resourceHealthSchema, { type: 'map', keys: ['resourceID'] })),
})
export type ResourceStatus = Infer<typeof resourceStatusSchema>

const volumeMountStatusSchema = object('VolumeMountStatus', {
  name: required(1, string()),
  mountPath: required(2, string()),
  readOnly: optional(3, boolean()),
  recursiveReadOnly: optional(4, string()),
  volumeStatus: optional(undefined, any()),
})
export type VolumeMountStatus = Infer<typeof volumeMountStatusSchema>

const linuxContainerUserSchema = object('LinuxContainerUser', {
  uid: required(1, int64()),
  gid: required(2, int64()),
  supplementalGroups: optional(3, list(int64(), { type: 'atomic' })),
})
export type LinuxContainerUser = Infer<typeof linuxContainerUserSchema>

const containerUserSchema = object('ContainerUser', {
  linux: optional(1, linuxContainerUserSchema),
})
export type ContainerUser = Infer<typeof containerUserSchema>

const containerStatusSchema = object('ContainerStatus', {
  name: required(1, string()),
  state: optional(2, containerStateSchema),
  lastState: optional(3, containerStateSchema),
  ready: required(4, boolean()),
  restartCount: required(5, int32()),
  image: required(6, string()),
  imageID: required(7, string()),
  containerID: optional(8, string()),
  started: optional(9, boolean()),
  allocatedResources: optional(10, map(quantity())),
  resources: optional(11, resourceRequirementsSchema),
  volumeMounts: optional(
    12,
    list(volumeMountStatusSchema, { type: 'map', keys: ['mountPath'], mergeKey: 'mountPath', patch: 'merge' }),
  ),
  user: optional(13, containerUserSchema),
  allocatedResourcesStatus: optional(
    14,
    list(resourceStatusSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' }),
  ),
  stopSignal: optional(15, string()),
})
export type ContainerStatus = Infer<typeof containerStatusSchema>

const podConditionSchema = object('PodCondition', {
  type: required(1, string()),
  status: required(2, oneOf('True', 'False', 'Unknown')),
  lastProbeTime: optional(3, time()),
  lastTransitionTime: optional(4, time()),
  reason: optional(5, string()),
  message: optional(6, string()),
  observedGeneration: optional(7, int64()),
})
export type PodCondition = Infer<typeof podConditionSchema>

const hostIPSchema = object('HostIP', {
  ip: required(1, string()),
})
export type HostIP = Infer<typeof hostIPSchema>

const podIPSchema = object('PodIP', {
  ip: required(1, string()),
})
export type PodIP = Infer<typeof podIPSchema>

const podResourceClaimStatusSchema = object(
  'PodResourceClaimStatus',
  {
    name: required(1, string()),
    resourceClaimName: optional(2, string()),
  },
  { patch: 'retainKeys' },
)
export type PodResourceClaimStatus = Infer<typeof podResourceClaimStatusSchema>

const containerExtendedResourceRequestSchema = object('ContainerExtendedResourceRequest', {
  containerName: required(1, string()),
  resourceName: required(2, string()),
  requestName: required(3, string()),
})
export type ContainerExtendedResourceRequest = Infer<typeof containerExtendedResourceRequestSchema>

const podExtendedResourceClaimStatusSchema = object('PodExtendedResourceClaimStatus', {
  requestMappings: required(1, list(containerExtendedResourceRequestSchema, { type: 'atomic' })),
  resourceClaimName: required(2, string()),
})
export type PodExtendedResourceClaimStatus = Infer<typeof podExtendedResourceClaimStatusSchema>

export const podStatusSchema = object('PodStatus', {
  phase: optional(1, oneOf('Pending', 'Running', 'Succeeded', 'Failed', 'Unknown')),
  conditions: optional(2, list(podConditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' })),
  message: optional(3, string()),
  reason: optional(4, string()),
  hostIP: optional(5, string()),
  podIP: optional(6, string()),
  startTime: optional(7, time()),
  containerStatuses: optional(8, list(containerStatusSchema, { type: 'atomic' })),
  qosClass: optional(9, string()),
  initContainerStatuses: optional(10, list(containerStatusSchema, { type: 'atomic' })),
  nominatedNodeName: optional(11, string()),
  podIPs: optional(12, list(podIPSchema, { type: 'map', keys: ['ip'], mergeKey: 'ip', patch: 'merge' })),
  ephemeralContainerStatuses: optional(13, list(containerStatusSchema, { type: 'atomic' })),
  resize: optional(14, string()),
  resourceClaimStatuses: optional(
    15,
    list(podResourceClaimStatusSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' }),
  ),
  hostIPs: optional(16, list(hostIPSchema, { type: 'atomic', mergeKey: 'ip', patch: 'merge' })),
  observedGeneration: optional(17, int64()),
  extendedResourceClaimStatus: optional(18, podExtendedResourceClaimStatusSchema),
  allocatedResources: optional(undefined, map(quantity())),
  nodeAllocatableResourceClaimStatuses: optional(undefined, list(any(), { type: 'atomic' })),
  resources: optional(undefined, resourceRequirementsSchema),
})
export type PodStatus = Infer<typeof podStatusSchema>
