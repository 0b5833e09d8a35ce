import {
  boolean,
  embed,
  type Infer,
  int32,
  int64,
  list,
  map,
  object,
  optional,
  quantity,
  required,
  string,
} from '../../../schema/index.ts'
import { labelSelectorSchema } from '../../meta/label-selector.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { localObjectReferenceSchema, typedLocalObjectReferenceSchema } from '../reference.ts'
import {
  awsElasticBlockStoreVolumeSourceSchema,
  azureDiskVolumeSourceSchema,
  azureFileVolumeSourceSchema,
  cephFSVolumeSourceSchema,
  cinderVolumeSourceSchema,
  csiVolumeSourceSchema,
  emptyDirVolumeSourceSchema,
  fcVolumeSourceSchema,
  flexVolumeSourceSchema,
  flockerVolumeSourceSchema,
  gcePersistentDiskVolumeSourceSchema,
  gitRepoVolumeSourceSchema,
  glusterfsVolumeSourceSchema,
  hostPathVolumeSourceSchema,
  imageVolumeSourceSchema,
  iscsiVolumeSourceSchema,
  nfsVolumeSourceSchema,
  persistentVolumeClaimVolumeSourceSchema,
  photonPersistentDiskVolumeSourceSchema,
  portworxVolumeSourceSchema,
  quobyteVolumeSourceSchema,
  rbdVolumeSourceSchema,
  scaleIOVolumeSourceSchema,
  storageOSVolumeSourceSchema,
  vsphereVirtualDiskVolumeSourceSchema,
} from './volume-source.ts'

const keyToPathSchema = object('KeyToPath', {
  key: required(1, string()),
  path: required(2, string()),
  mode: optional(3, int32()),
})
export type KeyToPath = Infer<typeof keyToPathSchema>

export const objectFieldSelectorSchema = object(
  'ObjectFieldSelector',
  {
    apiVersion: optional(1, string()),
    fieldPath: required(2, string()),
  },
  { atomic: true },
)
export type ObjectFieldSelector = Infer<typeof objectFieldSelectorSchema>

export const resourceFieldSelectorSchema = object(
  'ResourceFieldSelector',
  {
    containerName: optional(1, string()),
    resource: required(2, string()),
    divisor: optional(3, quantity()),
  },
  { atomic: true },
)
export type ResourceFieldSelector = Infer<typeof resourceFieldSelectorSchema>

const configMapVolumeSourceSchema = embed(
  object('ConfigMapVolumeSource', {
    items: optional(2, list(keyToPathSchema, { type: 'atomic' })),
    defaultMode: optional(3, int32()),
    optional: optional(4, boolean()),
  }),
  1,
  localObjectReferenceSchema,
)
export type ConfigMapVolumeSource = Infer<typeof configMapVolumeSourceSchema>

const secretVolumeSourceSchema = object('SecretVolumeSource', {
  secretName: optional(1, string()),
  items: optional(2, list(keyToPathSchema, { type: 'atomic' })),
  defaultMode: optional(3, int32()),
  optional: optional(4, boolean()),
})
export type SecretVolumeSource = Infer<typeof secretVolumeSourceSchema>

const downwardAPIVolumeFileSchema = object('DownwardAPIVolumeFile', {
  path: required(1, string()),
  fieldRef: optional(2, objectFieldSelectorSchema),
  resourceFieldRef: optional(3, resourceFieldSelectorSchema),
  mode: optional(4, int32()),
})
export type DownwardAPIVolumeFile = Infer<typeof downwardAPIVolumeFileSchema>

const downwardAPIVolumeSourceSchema = object('DownwardAPIVolumeSource', {
  items: optional(1, list(downwardAPIVolumeFileSchema, { type: 'atomic' })),
  defaultMode: optional(2, int32()),
})
export type DownwardAPIVolumeSource = Infer<typeof downwardAPIVolumeSourceSchema>

const configMapProjectionSchema = embed(
  object('ConfigMapProjection', {
    items: optional(2, list(keyToPathSchema, { type: 'atomic' })),
    optional: optional(4, boolean()),
  }),
  1,
  localObjectReferenceSchema,
)
export type ConfigMapProjection = Infer<typeof configMapProjectionSchema>

const secretProjectionSchema = embed(
  object('SecretProjection', {
    items: optional(2, list(keyToPathSchema, { type: 'atomic' })),
    optional: optional(4, boolean()),
  }),
  1,
  localObjectReferenceSchema,
)
export type SecretProjection = Infer<typeof secretProjectionSchema>

const downwardAPIProjectionSchema = object('DownwardAPIProjection', {
  items: optional(1, list(downwardAPIVolumeFileSchema, { type: 'atomic' })),
})
export type DownwardAPIProjection = Infer<typeof downwardAPIProjectionSchema>

const serviceAccountTokenProjectionSchema = object('ServiceAccountTokenProjection', {
  audience: optional(1, string()),
  expirationSeconds: optional(2, int64()),
  path: required(3, string()),
})
export type ServiceAccountTokenProjection = Infer<typeof serviceAccountTokenProjectionSchema>

const clusterTrustBundleProjectionSchema = object('ClusterTrustBundleProjection', {
  name: optional(1, string()),
  signerName: optional(2, string()),
  labelSelector: optional(3, labelSelectorSchema),
  path: required(4, string()),
  optional: optional(5, boolean()),
})
export type ClusterTrustBundleProjection = Infer<typeof clusterTrustBundleProjectionSchema>

const podCertificateProjectionSchema = object('PodCertificateProjection', {
  signerName: required(1, string()),
  keyType: required(2, string()),
  maxExpirationSeconds: optional(3, int32()),
  credentialBundlePath: optional(4, string()),
  keyPath: optional(5, string()),
  certificateChainPath: optional(6, string()),
  userAnnotations: optional(undefined, map(string())),
})
export type PodCertificateProjection = Infer<typeof podCertificateProjectionSchema>

const volumeProjectionSchema = object('VolumeProjection', {
  secret: optional(1, secretProjectionSchema),
  downwardAPI: optional(2, downwardAPIProjectionSchema),
  configMap: optional(3, configMapProjectionSchema),
  serviceAccountToken: optional(4, serviceAccountTokenProjectionSchema),
  clusterTrustBundle: optional(5, clusterTrustBundleProjectionSchema),
  podCertificate: optional(6, podCertificateProjectionSchema),
})
export type VolumeProjection = Infer<typeof volumeProjectionSchema>

const projectedVolumeSourceSchema = object('ProjectedVolumeSource', {
  sources: optional(1, list(volumeProjectionSchema, { type: 'atomic' })),
  defaultMode: optional(2, int32()),
})
export type ProjectedVolumeSource = Infer<typeof projectedVolumeSourceSchema>

const typedObjectReferenceSchema = object('TypedObjectReference', {
  apiGroup: optional(1, string()),
  kind: required(2, string()),
  name: required(3, string()),
  namespace: optional(4, string()),
})
export type TypedObjectReference = Infer<typeof typedObjectReferenceSchema>

const volumeResourceRequirementsSchema = object('VolumeResourceRequirements', {
  limits: optional(1, map(quantity())),
  requests: optional(2, map(quantity())),
})
export type VolumeResourceRequirements = Infer<typeof volumeResourceRequirementsSchema>

const persistentVolumeClaimSpecSchema = object('PersistentVolumeClaimSpec', {
  accessModes: optional(1, list(string(), { type: 'atomic' })),
  resources: optional(2, volumeResourceRequirementsSchema),
  volumeName: optional(3, string()),
  selector: optional(4, labelSelectorSchema),
  storageClassName: optional(5, string()),
  volumeMode: optional(6, string()),
  dataSource: optional(7, typedLocalObjectReferenceSchema),
  dataSourceRef: optional(8, typedObjectReferenceSchema),
  volumeAttributesClassName: optional(9, string()),
})
export type PersistentVolumeClaimSpec = Infer<typeof persistentVolumeClaimSpecSchema>

const persistentVolumeClaimTemplateSchema = object('PersistentVolumeClaimTemplate', {
  metadata: optional(1, objectMetaSchema),
  spec: required(2, persistentVolumeClaimSpecSchema),
})
export type PersistentVolumeClaimTemplate = Infer<typeof persistentVolumeClaimTemplateSchema>

const ephemeralVolumeSourceSchema = object('EphemeralVolumeSource', {
  volumeClaimTemplate: optional(1, persistentVolumeClaimTemplateSchema),
})
export type EphemeralVolumeSource = Infer<typeof ephemeralVolumeSourceSchema>

const volumeSourceSchema = object(
  'VolumeSource',
  {
    hostPath: optional(1, hostPathVolumeSourceSchema),
    emptyDir: optional(2, emptyDirVolumeSourceSchema),
    gcePersistentDisk: optional(3, gcePersistentDiskVolumeSourceSchema),
    awsElasticBlockStore: optional(4, awsElasticBlockStoreVolumeSourceSchema),
    gitRepo: optional(5, gitRepoVolumeSourceSchema),
    secret: optional(6, secretVolumeSourceSchema),
    nfs: optional(7, nfsVolumeSourceSchema),
    iscsi: optional(8, iscsiVolumeSourceSchema),
    glusterfs: optional(9, glusterfsVolumeSourceSchema),
    persistentVolumeClaim: optional(10, persistentVolumeClaimVolumeSourceSchema),
    rbd: optional(11, rbdVolumeSourceSchema),
    flexVolume: optional(12, flexVolumeSourceSchema),
    cinder: optional(13, cinderVolumeSourceSchema),
    cephfs: optional(14, cephFSVolumeSourceSchema),
    flocker: optional(15, flockerVolumeSourceSchema),
    downwardAPI: optional(16, downwardAPIVolumeSourceSchema),
    fc: optional(17, fcVolumeSourceSchema),
    azureFile: optional(18, azureFileVolumeSourceSchema),
    configMap: optional(19, configMapVolumeSourceSchema),
    vsphereVolume: optional(20, vsphereVirtualDiskVolumeSourceSchema),
    quobyte: optional(21, quobyteVolumeSourceSchema),
    azureDisk: optional(22, azureDiskVolumeSourceSchema),
    photonPersistentDisk: optional(23, photonPersistentDiskVolumeSourceSchema),
    portworxVolume: optional(24, portworxVolumeSourceSchema),
    scaleIO: optional(25, scaleIOVolumeSourceSchema),
    projected: optional(26, projectedVolumeSourceSchema),
    storageos: optional(27, storageOSVolumeSourceSchema),
    csi: optional(28, csiVolumeSourceSchema),
    ephemeral: optional(29, ephemeralVolumeSourceSchema),
    image: optional(30, imageVolumeSourceSchema),
  },
  { patch: 'retainKeys' },
)

export const volumeSchema = embed(
  object(
    'Volume',
    {
      name: required(1, string()),
    },
    { patch: 'retainKeys' },
  ),
  2,
  volumeSourceSchema,
)
export type Volume = Infer<typeof volumeSchema>
