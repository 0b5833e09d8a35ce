import {
  always,
  boolean,
  embed,
  type Infer,
  int32,
  list,
  map,
  object,
  oneOf,
  optional,
  quantity,
  required,
  string,
} from '../../../schema/index.ts'
import { localObjectReferenceSchema } from '../reference.ts'
import { lifecycleSchema, probeSchema } from './handler.ts'
import { securityContextSchema } from './security.ts'
import { objectFieldSelectorSchema, resourceFieldSelectorSchema } from './volume.ts'

const containerPortSchema = object('ContainerPort', {
  name: optional(1, string()),
  hostPort: optional(2, int32()),
  containerPort: required(3, int32()),
  protocol: always(4, oneOf('TCP', 'UDP', 'SCTP')),
  hostIP: optional(5, string()),
})
export type ContainerPort = Infer<typeof containerPortSchema>

const configMapKeySelectorSchema = embed(
  object(
    'ConfigMapKeySelector',
    {
      key: required(2, string()),
      optional: optional(3, boolean()),
    },
    { atomic: true },
  ),
  1,
  localObjectReferenceSchema,
)
export type ConfigMapKeySelector = Infer<typeof configMapKeySelectorSchema>

const secretKeySelectorSchema = embed(
  object(
    'SecretKeySelector',
    {
      key: required(2, string()),
      optional: optional(3, boolean()),
    },
    { atomic: true },
  ),
  1,
  localObjectReferenceSchema,
)
export type SecretKeySelector = Infer<typeof secretKeySelectorSchema>

const fileKeySelectorSchema = object(
  'FileKeySelector',
  {
    volumeName: required(1, string()),
    path: required(2, string()),
    key: required(3, string()),
    optional: optional(4, boolean()),
  },
  { atomic: true },
)
export type FileKeySelector = Infer<typeof fileKeySelectorSchema>

const envVarSourceSchema = object('EnvVarSource', {
  fieldRef: optional(1, objectFieldSelectorSchema),
  resourceFieldRef: optional(2, resourceFieldSelectorSchema),
  configMapKeyRef: optional(3, configMapKeySelectorSchema),
  secretKeyRef: optional(4, secretKeySelectorSchema),
  fileKeyRef: optional(5, fileKeySelectorSchema),
})
export type EnvVarSource = Infer<typeof envVarSourceSchema>

const envVarSchema = object('EnvVar', {
  name: required(1, string()),
  value: optional(2, string()),
  valueFrom: optional(3, envVarSourceSchema),
})
export type EnvVar = Infer<typeof envVarSchema>

const configMapEnvSourceSchema = embed(
  object('ConfigMapEnvSource', {
    optional: optional(2, boolean()),
  }),
  1,
  localObjectReferenceSchema,
)
export type ConfigMapEnvSource = Infer<typeof configMapEnvSourceSchema>

const secretEnvSourceSchema = embed(
  object('SecretEnvSource', {
    optional: optional(2, boolean()),
  }),
  1,
  localObjectReferenceSchema,
)
export type SecretEnvSource = Infer<typeof secretEnvSourceSchema>

const envFromSourceSchema = object('EnvFromSource', {
  prefix: optional(1, string()),
  configMapRef: optional(2, configMapEnvSourceSchema),
  secretRef: optional(3, secretEnvSourceSchema),
})
export type EnvFromSource = Infer<typeof envFromSourceSchema>

const resourceClaimSchema = object('ResourceClaim', {
  name: required(1, string()),
  request: optional(2, string()),
})
export type ResourceClaim = Infer<typeof resourceClaimSchema>

export const resourceRequirementsSchema = object('ResourceRequirements', {
  limits: optional(1, map(quantity())),
  requests: optional(2, map(quantity())),
  claims: optional(3, list(resourceClaimSchema, { type: 'map', keys: ['name'] })),
})
export type ResourceRequirements = Infer<typeof resourceRequirementsSchema>

const containerResizePolicySchema = object('ContainerResizePolicy', {
  resourceName: required(1, string()),
  restartPolicy: required(2, string()),
})
export type ContainerResizePolicy = Infer<typeof containerResizePolicySchema>

const containerRestartRuleOnExitCodesSchema = object('ContainerRestartRuleOnExitCodes', {
  operator: required(1, string()),
  values: optional(2, list(int32(), { type: 'set' })),
})
export type ContainerRestartRuleOnExitCodes = Infer<typeof containerRestartRuleOnExitCodesSchema>

const containerRestartRuleSchema = object('ContainerRestartRule', {
  action: required(1, string()),
  exitCodes: optional(2, containerRestartRuleOnExitCodesSchema),
})
export type ContainerRestartRule = Infer<typeof containerRestartRuleSchema>

const volumeDeviceSchema = object('VolumeDevice', {
  name: required(1, string()),
  devicePath: required(2, string()),
})
export type VolumeDevice = Infer<typeof volumeDeviceSchema>

const volumeMountSchema = object('VolumeMount', {
  name: required(1, string()),
  readOnly: optional(2, boolean()),
  mountPath: required(3, string()),
  subPath: optional(4, string()),
  mountPropagation: optional(5, string()),
  subPathExpr: optional(6, string()),
  recursiveReadOnly: optional(7, string()),
})
export type VolumeMount = Infer<typeof volumeMountSchema>

export const containerSchema = object('Container', {
  name: required(1, string()),
  image: optional(2, string()),
  command: optional(3, list(string(), { type: 'atomic' })),
  args: optional(4, list(string(), { type: 'atomic' })),
  workingDir: optional(5, string()),
  ports: optional(
    6,
    list(containerPortSchema, { type: 'map', keys: ['containerPort', 'protocol'], mergeKey: 'containerPort', patch: 'merge' }),
  ),
  env: optional(7, list(envVarSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  resources: optional(8, resourceRequirementsSchema),
  volumeMounts: optional(9, list(volumeMountSchema, { type: 'map', keys: ['mountPath'], mergeKey: 'mountPath', patch: 'merge' })),
  livenessProbe: optional(10, probeSchema),
  readinessProbe: optional(11, probeSchema),
  lifecycle: optional(12, lifecycleSchema),
  terminationMessagePath: optional(13, string()),
  imagePullPolicy: optional(14, oneOf('Always', 'IfNotPresent', 'Never')),
  securityContext: optional(15, securityContextSchema),
  stdin: optional(16, boolean()),
  stdinOnce: optional(17, boolean()),
  tty: optional(18, boolean()),
  envFrom: optional(19, list(envFromSourceSchema, { type: 'atomic' })),
  terminationMessagePolicy: optional(20, string()),
  volumeDevices: optional(
    21,
    list(volumeDeviceSchema, { type: 'map', keys: ['devicePath'], mergeKey: 'devicePath', patch: 'merge' }),
  ),
  startupProbe: optional(22, probeSchema),
  resizePolicy: optional(23, list(containerResizePolicySchema, { type: 'atomic' })),
  restartPolicy: optional(24, string()),
  restartPolicyRules: optional(25, list(containerRestartRuleSchema, { type: 'atomic' })),
})
export type Container = Infer<typeof containerSchema>

const ephemeralContainerCommonSchema = object('EphemeralContainerCommon', {
  name: required(1, string()),
  image: optional(2, string()),
  command: optional(3, list(string(), { type: 'atomic' })),
  args: optional(4, list(string(), { type: 'atomic' })),
  workingDir: optional(5, string()),
  ports: optional(
    6,
    list(containerPortSchema, { type: 'map', keys: ['containerPort', 'protocol'], mergeKey: 'containerPort', patch: 'merge' }),
  ),
  env: optional(7, list(envVarSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  resources: optional(8, resourceRequirementsSchema),
  volumeMounts: optional(9, list(volumeMountSchema, { type: 'map', keys: ['mountPath'], mergeKey: 'mountPath', patch: 'merge' })),
  livenessProbe: optional(10, probeSchema),
  readinessProbe: optional(11, probeSchema),
  lifecycle: optional(12, lifecycleSchema),
  terminationMessagePath: optional(13, string()),
  imagePullPolicy: optional(14, string()),
  securityContext: optional(15, securityContextSchema),
  stdin: optional(16, boolean()),
  stdinOnce: optional(17, boolean()),
  tty: optional(18, boolean()),
  envFrom: optional(19, list(envFromSourceSchema, { type: 'atomic' })),
  terminationMessagePolicy: optional(20, string()),
  volumeDevices: optional(
    21,
    list(volumeDeviceSchema, { type: 'map', keys: ['devicePath'], mergeKey: 'devicePath', patch: 'merge' }),
  ),
  startupProbe: optional(22, probeSchema),
  resizePolicy: optional(23, list(containerResizePolicySchema, { type: 'atomic' })),
  restartPolicy: optional(24, string()),
  restartPolicyRules: optional(25, list(containerRestartRuleSchema, { type: 'atomic' })),
})

export const ephemeralContainerSchema = embed(
  object('EphemeralContainer', {
    targetContainerName: optional(2, string()),
  }),
  1,
  ephemeralContainerCommonSchema,
)
export type EphemeralContainer = Infer<typeof ephemeralContainerSchema>
