export { deploymentKind } from './apps/deployment/kind.ts'
export type {
  Deployment,
  DeploymentCondition,
  DeploymentSpec,
  DeploymentStatus,
  DeploymentStrategy,
  RollingUpdateDeployment,
} from './apps/deployment/schema.ts'
export { replicaSetKind } from './apps/replicaset/kind.ts'
export type { ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus } from './apps/replicaset/schema.ts'
export {
  type SelfSubjectReview,
  type SelfSubjectReviewStatus,
  selfSubjectReviewSchema,
  type UserInfo,
} from './authentication/selfsubjectreview/schema.ts'
export {
  type BoundObjectReference,
  type TokenRequest,
  type TokenRequestSpec,
  type TokenRequestStatus,
  tokenRequestSchema,
} from './authentication/tokenreview/schema.ts'
export {
  type FieldSelectorAttributes,
  type LabelSelectorAttributes,
  type NonResourceAttributes,
  type ResourceAttributes,
  type SelfSubjectAccessReview,
  type SelfSubjectAccessReviewSpec,
  type SubjectAccessReviewStatus,
  selfSubjectAccessReviewSchema,
} from './authorization/selfsubjectaccessreview/schema.ts'
export {
  type NonResourceRule,
  type ResourceRule,
  type SelfSubjectRulesReview,
  type SelfSubjectRulesReviewSpec,
  type SubjectRulesReviewStatus,
  selfSubjectRulesReviewSchema,
} from './authorization/selfsubjectrulesreview/schema.ts'
export { scaleOf, withScale } from './autoscaling/scale/scale.ts'
export { type Scale, type ScaleSpec, type ScaleStatus, scaleSchema } from './autoscaling/scale/schema.ts'
export { leaseKind } from './coordination/lease/kind.ts'
export type { Lease, LeaseSpec } from './coordination/lease/schema.ts'
export { configMapKind } from './core/configmap/kind.ts'
export type { ConfigMap } from './core/configmap/schema.ts'
export { endpointsKind } from './core/endpoints/kind.ts'
export type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from './core/endpoints/schema.ts'
export { eventKind } from './core/event/kind.ts'
export type { Event, EventSeries, EventSource } from './core/event/schema.ts'
export { namespaceKind } from './core/namespace/kind.ts'
export type { Namespace, NamespaceCondition, NamespaceSpec, NamespaceStatus } from './core/namespace/schema.ts'
export { nodeKind } from './core/node/kind.ts'
export type {
  AttachedVolume,
  ConfigMapNodeConfigSource,
  ContainerImage,
  DaemonEndpoint,
  Node,
  NodeAddress,
  NodeCondition,
  NodeConfigSource,
  NodeConfigStatus,
  NodeDaemonEndpoints,
  NodeFeatures,
  NodeRuntimeHandler,
  NodeRuntimeHandlerFeatures,
  NodeSpec,
  NodeStatus,
  NodeSystemInfo,
  Taint,
} from './core/node/schema.ts'
export type {
  Affinity,
  NodeAffinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  PodAntiAffinity,
  PreferredSchedulingTerm,
  Toleration,
  TopologySpreadConstraint,
  WeightedPodAffinityTerm,
} from './core/pod/affinity.ts'
export type {
  ConfigMapEnvSource,
  ConfigMapKeySelector,
  Container,
  ContainerPort,
  ContainerResizePolicy,
  ContainerRestartRule,
  ContainerRestartRuleOnExitCodes,
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  EphemeralContainer,
  FileKeySelector,
  ResourceClaim,
  ResourceRequirements,
  SecretEnvSource,
  SecretKeySelector,
  VolumeDevice,
  VolumeMount,
} from './core/pod/container.ts'
export type {
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  HTTPHeader,
  Lifecycle,
  LifecycleHandler,
  Probe,
  SleepAction,
  TCPSocketAction,
} from './core/pod/handler.ts'
export { podKind } from './core/pod/kind.ts'
export type {
  HostAlias,
  PodDNSConfig,
  PodDNSConfigOption,
  PodOS,
  PodReadinessGate,
  PodResourceClaim,
  PodSchedulingGate,
  PodSpec,
  PodTemplateSpec,
} from './core/pod/pod-spec.ts'
export type {
  ContainerExtendedResourceRequest,
  ContainerState,
  ContainerStateRunning,
  ContainerStateTerminated,
  ContainerStateWaiting,
  ContainerStatus,
  ContainerUser,
  HostIP,
  LinuxContainerUser,
  PodCondition,
  PodExtendedResourceClaimStatus,
  PodIP,
  PodResourceClaimStatus,
  PodStatus,
  ResourceHealth,
  ResourceStatus,
  VolumeMountStatus,
} from './core/pod/pod-status.ts'
export type { Pod } from './core/pod/schema.ts'
export type {
  AppArmorProfile,
  Capabilities,
  PodSecurityContext,
  SELinuxOptions,
  SeccompProfile,
  SecurityContext,
  Sysctl,
  WindowsSecurityContextOptions,
} from './core/pod/security.ts'
export type {
  ClusterTrustBundleProjection,
  ConfigMapProjection,
  ConfigMapVolumeSource,
  DownwardAPIProjection,
  DownwardAPIVolumeFile,
  DownwardAPIVolumeSource,
  EphemeralVolumeSource,
  KeyToPath,
  ObjectFieldSelector,
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimTemplate,
  PodCertificateProjection,
  ProjectedVolumeSource,
  ResourceFieldSelector,
  SecretProjection,
  SecretVolumeSource,
  ServiceAccountTokenProjection,
  TypedObjectReference,
  Volume,
  VolumeProjection,
  VolumeResourceRequirements,
} from './core/pod/volume.ts'
export type {
  AWSElasticBlockStoreVolumeSource,
  AzureDiskVolumeSource,
  AzureFileVolumeSource,
  CephFSVolumeSource,
  CinderVolumeSource,
  CSIVolumeSource,
  EmptyDirVolumeSource,
  FCVolumeSource,
  FlexVolumeSource,
  FlockerVolumeSource,
  GCEPersistentDiskVolumeSource,
  GitRepoVolumeSource,
  GlusterfsVolumeSource,
  HostPathVolumeSource,
  ImageVolumeSource,
  ISCSIVolumeSource,
  NFSVolumeSource,
  PersistentVolumeClaimVolumeSource,
  PhotonPersistentDiskVolumeSource,
  PortworxVolumeSource,
  QuobyteVolumeSource,
  RBDVolumeSource,
  ScaleIOVolumeSource,
  StorageOSVolumeSource,
  VsphereVirtualDiskVolumeSource,
} from './core/pod/volume-source.ts'
export type { LocalObjectReference, ObjectReference, SecretReference, TypedLocalObjectReference } from './core/reference.ts'
export { objectReferenceSchema } from './core/reference.ts'
export { secretKind } from './core/secret/kind.ts'
export type { Secret } from './core/secret/schema.ts'
export { DEFAULT_CLIENT_IP_TIMEOUT_SECONDS } from './core/service/defaults.ts'
export { serviceKind } from './core/service/kind.ts'
export type {
  ClientIPConfig,
  LoadBalancerIngress,
  LoadBalancerStatus,
  PortStatus,
  Service,
  ServicePort,
  ServiceSpec,
  ServiceStatus,
  SessionAffinityConfig,
} from './core/service/schema.ts'
export { CLUSTER_IP_NONE, isExternallyAccessible, isHeadless, needsHealthCheckNodePort } from './core/service/traits.ts'
export { serviceAccountKind } from './core/serviceaccount/kind.ts'
export type { ServiceAccount } from './core/serviceaccount/schema.ts'
export { endpointSliceKind } from './discovery/endpointslice/kind.ts'
export type {
  Endpoint,
  EndpointConditions,
  EndpointHints,
  EndpointPort as SlicePort,
  EndpointSlice,
  ForNode,
  ForZone,
} from './discovery/endpointslice/schema.ts'
export {
  ApiError,
  type ApiFailure,
  alreadyExists,
  badRequest,
  conflict,
  expired,
  forbidden,
  invalid,
  isAlreadyExists,
  isConflict,
  isExpired,
  isInvalid,
  isNotFound,
  notFound,
  type StatusReason,
  type Subject,
} from './errors.ts'
export { eventsEventKind } from './events/event/kind.ts'
export type { EventsEvent } from './events/event/schema.ts'
export { extensionsIngressKind } from './extensions/v1beta1/ingress/kind.ts'
export { ageOf, humanDuration } from './human-duration.ts'
export {
  apiVersionOf,
  type Column,
  type Conversion,
  type Kind,
  type KubeObject,
  type Problem,
  type ProblemType,
  type SelectableField,
  type Subresource,
} from './kind.ts'
export type { Condition } from './meta/condition.ts'
export { addressErrors, cidrErrors, endpointAddressErrors, specialAddressErrors } from './meta/ip-fields.ts'
export { type LabelSelector, type LabelSelectorRequirement, labelSelectorSchema } from './meta/label-selector.ts'
export { validateAnnotations, validateLabels } from './meta/labels.ts'
export { generateNameErrors, type NameRule, nameErrors } from './meta/name-rule.ts'
export {
  configKeyErrors,
  dns1035LabelErrors,
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  envVarNameErrors,
  fullyQualifiedDomainNameErrors,
  labelValueErrors,
  portNameErrors,
  portNumberErrors,
  portNumberOrNameErrors,
  qualifiedNameErrors,
  wildcardSubdomainErrors,
} from './meta/names.ts'
export {
  type ListMeta,
  listMetaSchema,
  type ManagedFieldsEntry,
  type ObjectMeta,
  type OwnerReference,
  objectMetaSchema,
} from './meta/object-meta.ts'
export { type ObjectMetaRules, validateObjectMeta, validateObjectMetaUpdate } from './meta/object-meta-validation.ts'
export { type DeleteOptions, deleteOptionsSchema, type Preconditions } from './meta/options.ts'
export { parseQuantity } from './meta/quantity.ts'
export {
  formatLabelSelector,
  isEmptySelector,
  type Labels,
  labelsMatch,
  selectorMatches,
  validateLabelSelector,
} from './meta/selector.ts'
export { type Status, type StatusCause, type StatusDetails, statusSchema } from './meta/status.ts'
export { ingressKind } from './networking/ingress/kind.ts'
export type {
  HTTPIngressPath,
  HTTPIngressRuleValue,
  Ingress,
  IngressBackend,
  IngressLoadBalancerIngress,
  IngressLoadBalancerStatus,
  IngressPortStatus,
  IngressRule,
  IngressServiceBackend,
  IngressSpec,
  IngressStatus,
  IngressTLS,
  ServiceBackendPort,
} from './networking/ingress/schema.ts'
export { INGRESS_CLASS_ANNOTATION } from './networking/ingress/validation.ts'
export { ingressClassKind } from './networking/ingressclass/kind.ts'
export type { IngressClass, IngressClassParametersReference, IngressClassSpec } from './networking/ingressclass/schema.ts'
export { ipAddressKind } from './networking/ipaddress/kind.ts'
export type { IPAddress, IPAddressSpec, ParentReference } from './networking/ipaddress/schema.ts'
export { serviceCIDRKind } from './networking/servicecidr/kind.ts'
export type { ServiceCIDR, ServiceCIDRSpec, ServiceCIDRStatus } from './networking/servicecidr/schema.ts'
export { ingressV1beta1Kind } from './networking/v1beta1/ingress/kind.ts'
export type { IngressV1beta1 } from './networking/v1beta1/ingress/schema.ts'
export { ingressClassV1beta1Kind } from './networking/v1beta1/ingressclass/kind.ts'
export { PROBLEM_LIMIT, Problems } from './problems.ts'
export { sameValue } from './same-value.ts'
export { scheme } from './scheme.ts'
export { tkeServiceConfigKind } from './tencent/tkeserviceconfig/kind.ts'
export type { TkeHealthCheck, TkeServiceConfig, TkeSession } from './tencent/tkeserviceconfig/schema.ts'
