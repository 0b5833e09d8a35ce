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
} from '../../../schema/index.ts'
import { templateMetaSchema } from '../../meta/object-meta.ts'
import { localObjectReferenceSchema } from '../reference.ts'
import { affinitySchema, tolerationSchema, topologySpreadConstraintSchema } from './affinity.ts'
import { containerSchema, ephemeralContainerSchema, resourceRequirementsSchema } from './container.ts'
import { podSecurityContextSchema } from './security.ts'
import { volumeSchema } from './volume.ts'

const podDNSConfigOptionSchema = object('PodDNSConfigOption', {
  name: optional(1, string()),
  value: optional(2, string()),
})
export type PodDNSConfigOption = Infer<typeof podDNSConfigOptionSchema>

const podDNSConfigSchema = object('PodDNSConfig', {
  nameservers: optional(1, list(string(), { type: 'atomic' })),
  searches: optional(2, list(string(), { type: 'atomic' })),
  options: optional(3, list(podDNSConfigOptionSchema, { type: 'atomic' })),
})
export type PodDNSConfig = Infer<typeof podDNSConfigSchema>

const hostAliasSchema = object('HostAlias', {
  ip: required(1, string()),
  hostnames: optional(2, list(string(), { type: 'atomic' })),
})
export type HostAlias = Infer<typeof hostAliasSchema>

const podReadinessGateSchema = object('PodReadinessGate', {
  conditionType: required(1, string()),
})
export type PodReadinessGate = Infer<typeof podReadinessGateSchema>

const podResourceClaimSchema = object(
  'PodResourceClaim',
  {
    name: required(1, string()),
    resourceClaimName: optional(3, string()),
    resourceClaimTemplateName: optional(4, string()),
  },
  { patch: 'retainKeys' },
)
export type PodResourceClaim = Infer<typeof podResourceClaimSchema>

const podSchedulingGateSchema = object('PodSchedulingGate', {
  name: required(1, string()),
})
export type PodSchedulingGate = Infer<typeof podSchedulingGateSchema>

const podOSSchema = object('PodOS', {
  name: required(1, string()),
})
export type PodOS = Infer<typeof podOSSchema>

export const podSpecSchema = object('PodSpec', {
  volumes: optional(1, list(volumeSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  containers: required(2, list(containerSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  restartPolicy: optional(3, oneOf('Always', 'OnFailure', 'Never')),
  terminationGracePeriodSeconds: optional(4, int64()),
  activeDeadlineSeconds: optional(5, int64()),
  dnsPolicy: optional(6, oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None')),
  nodeSelector: optional(7, map(string())),
  serviceAccountName: optional(8, string()),
  serviceAccount: optional(9, string()),
  nodeName: optional(10, string()),
  hostNetwork: optional(11, boolean()),
  hostPID: optional(12, boolean()),
  hostIPC: optional(13, boolean()),
  securityContext: optional(14, podSecurityContextSchema),
  imagePullSecrets: optional(
    15,
    list(localObjectReferenceSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' }),
  ),
  hostname: optional(16, string()),
  subdomain: optional(17, string()),
  affinity: optional(18, affinitySchema),
  schedulerName: optional(19, string()),
  initContainers: optional(20, list(containerSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  automountServiceAccountToken: optional(21, boolean()),
  tolerations: optional(22, list(tolerationSchema, { type: 'atomic' })),
  hostAliases: optional(23, list(hostAliasSchema, { type: 'map', keys: ['ip'], mergeKey: 'ip', patch: 'merge' })),
  priorityClassName: optional(24, string()),
  priority: optional(25, int32()),
  dnsConfig: optional(26, podDNSConfigSchema),
  shareProcessNamespace: optional(27, boolean()),
  readinessGates: optional(28, list(podReadinessGateSchema, { type: 'atomic' })),
  runtimeClassName: optional(29, string()),
  enableServiceLinks: optional(30, boolean()),
  preemptionPolicy: optional(31, string()),
  overhead: optional(32, map(quantity())),
  topologySpreadConstraints: optional(
    33,
    list(topologySpreadConstraintSchema, {
      type: 'map',
      keys: ['topologyKey', 'whenUnsatisfiable'],
      mergeKey: 'topologyKey',
      patch: 'merge',
    }),
  ),
  ephemeralContainers: optional(
    34,
    list(ephemeralContainerSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' }),
  ),
  setHostnameAsFQDN: optional(35, boolean()),
  os: optional(36, podOSSchema),
  hostUsers: optional(37, boolean()),
  schedulingGates: optional(38, list(podSchedulingGateSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  resourceClaims: optional(39, list(podResourceClaimSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  resources: optional(40, resourceRequirementsSchema),
  hostnameOverride: optional(41, string()),
  schedulingGroup: optional(undefined, any()),
})
export type PodSpec = Infer<typeof podSpecSchema>

export const podTemplateSpecSchema = object('PodTemplateSpec', {
  metadata: optional(1, templateMetaSchema),
  spec: always(2, podSpecSchema),
})
export type PodTemplateSpec = Infer<typeof podTemplateSpecSchema>
