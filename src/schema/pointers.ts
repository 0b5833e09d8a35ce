/**
 * Which optional scalar fields are pointers in Kubernetes' Go types: there `false`, `0` and `''` differ from "not set" and are kept.
 * In every other optional field the zero value means "not set" and never appears on the wire (Go's `omitempty`).
 * The OpenAPI document doesn't carry this fact, and a protobuf body sends the zero value of every field that is not a pointer.
 *
 * Two messages are called EndpointPort (core and discovery); `name` is left out, because core's is no pointer and
 * discovery's is defaulted to `''`. `ScaleSpec.replicas` is no pointer in Go; scaling to 0 must not read as "not set" here.
 */
const pointers: Readonly<Record<string, string>> = {
  AppArmorProfile: 'localhostProfile',
  AzureDiskVolumeSource: 'cachingMode fsType readOnly',
  CSIVolumeSource: 'readOnly fsType',
  ClientIPConfig: 'timeoutSeconds',
  ClusterTrustBundleProjection: 'name signerName optional',
  ConfigMap: 'immutable',
  ConfigMapEnvSource: 'optional',
  ConfigMapKeySelector: 'optional',
  ConfigMapProjection: 'optional',
  ConfigMapVolumeSource: 'defaultMode optional',
  Container: 'restartPolicy',
  ContainerStatus: 'started stopSignal',
  DeleteOptions: 'gracePeriodSeconds orphanDependents propagationPolicy ignoreStoreReadErrorWithClusterBreakingPotential',
  DeploymentSpec: 'replicas revisionHistoryLimit progressDeadlineSeconds',
  DeploymentStatus: 'collisionCount terminatingReplicas',
  DownwardAPIVolumeFile: 'mode',
  DownwardAPIVolumeSource: 'defaultMode',
  EmptyDirVolumeSource: 'sizeLimit',
  Endpoint: 'hostname nodeName zone',
  EndpointAddress: 'nodeName',
  EndpointConditions: 'ready serving terminating',
  EndpointPort: 'protocol port appProtocol',
  EphemeralContainerCommon: 'restartPolicy',
  FCVolumeSource: 'lun',
  FileKeySelector: 'optional',
  GRPCAction: 'service',
  HostPathVolumeSource: 'type',
  ISCSIVolumeSource: 'initiatorName',
  IngressClassParametersReference: 'apiGroup scope namespace',
  IngressPortStatus: 'error',
  IngressSpec: 'ingressClassName',
  KeyToPath: 'mode',
  LeaseSpec: 'holderIdentity leaseDurationSeconds leaseTransitions strategy preferredHolder',
  Lifecycle: 'stopSignal',
  ListMeta: 'remainingItemCount',
  LoadBalancerIngress: 'ipMode',
  NodeFeatures: 'supplementalGroupsPolicy',
  NodeRuntimeHandlerFeatures: 'recursiveReadOnlyMounts userNamespaces',
  ObjectMeta: 'deletionGracePeriodSeconds',
  OwnerReference: 'controller blockOwnerDeletion',
  PersistentVolumeClaimSpec: 'storageClassName volumeMode volumeAttributesClassName',
  PodCertificateProjection: 'maxExpirationSeconds',
  PodDNSConfigOption: 'value',
  PodResourceClaim: 'resourceClaimName resourceClaimTemplateName',
  PodResourceClaimStatus: 'resourceClaimName',
  PodSecurityContext:
    'runAsUser runAsNonRoot fsGroup runAsGroup fsGroupChangePolicy supplementalGroupsPolicy seLinuxChangePolicy',
  PodSpec:
    'terminationGracePeriodSeconds activeDeadlineSeconds automountServiceAccountToken priority shareProcessNamespace ' +
    'runtimeClassName enableServiceLinks preemptionPolicy setHostnameAsFQDN hostUsers hostnameOverride',
  PortStatus: 'error',
  Preconditions: 'uid resourceVersion',
  Probe: 'terminationGracePeriodSeconds',
  ProjectedVolumeSource: 'defaultMode',
  ReplicaSetSpec: 'replicas',
  ReplicaSetStatus: 'terminatingReplicas',
  RollingUpdateDeployment: 'maxUnavailable maxSurge',
  ScaleSpec: 'replicas',
  SeccompProfile: 'localhostProfile',
  Secret: 'immutable',
  SecretEnvSource: 'optional',
  SecretKeySelector: 'optional',
  SecretProjection: 'optional',
  SecretVolumeSource: 'defaultMode optional',
  SecurityContext: 'privileged runAsUser runAsNonRoot readOnlyRootFilesystem allowPrivilegeEscalation runAsGroup procMount',
  ServiceAccount: 'automountServiceAccountToken',
  ServiceAccountTokenProjection: 'expirationSeconds',
  ServicePort: 'appProtocol',
  ServiceSpec: 'ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution',
  TkeDomain: 'domain http2',
  TkeHealthCheck: 'enable sourceIpType',
  TkeL7Listener: 'keepaliveEnable snatEnable',
  TkeLoadBalancer: 'internetMaxBandwidthOut',
  TkeSession: 'enable',
  TokenRequestSpec: 'expirationSeconds',
  Toleration: 'tolerationSeconds',
  TopologySpreadConstraint: 'minDomains nodeAffinityPolicy nodeTaintsPolicy',
  TypedLocalObjectReference: 'apiGroup',
  TypedObjectReference: 'apiGroup namespace',
  VolumeMount: 'mountPropagation recursiveReadOnly',
  VolumeMountStatus: 'recursiveReadOnly',
  WindowsSecurityContextOptions: 'gmsaCredentialSpecName gmsaCredentialSpec runAsUserName hostProcess',
}

const fieldsOf = new Map(Object.entries(pointers).map(([message, fields]) => [message, new Set(fields.split(' '))]))

/** Whether the zero value of this field is a value of its own. */
export const isPointer = (message: string, field: string): boolean => fieldsOf.get(message)?.has(field) ?? false

/** Every (message, field) pair of the table, for the check that none of them is misspelt. */
export const pointerFields = (): readonly (readonly [message: string, field: string])[] =>
  [...fieldsOf].flatMap(([message, fields]) => [...fields].map((field) => [message, field] as const))
