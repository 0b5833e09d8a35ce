import { boolean, type Infer, int32, list, map, object, optional, quantity, required, string } from '../../../schema/index.ts'
import { localObjectReferenceSchema } from '../reference.ts'

export const awsElasticBlockStoreVolumeSourceSchema = object('AWSElasticBlockStoreVolumeSource', {
  volumeID: required(1, string()),
  fsType: optional(2, string()),
  partition: optional(3, int32()),
  readOnly: optional(4, boolean()),
})
export type AWSElasticBlockStoreVolumeSource = Infer<typeof awsElasticBlockStoreVolumeSourceSchema>

export const azureDiskVolumeSourceSchema = object('AzureDiskVolumeSource', {
  diskName: required(1, string()),
  diskURI: required(2, string()),
  cachingMode: optional(3, string()),
  fsType: optional(4, string()),
  readOnly: optional(5, boolean()),
  kind: optional(6, string()),
})
export type AzureDiskVolumeSource = Infer<typeof azureDiskVolumeSourceSchema>

export const azureFileVolumeSourceSchema = object('AzureFileVolumeSource', {
  secretName: required(1, string()),
  shareName: required(2, string()),
  readOnly: optional(3, boolean()),
})
export type AzureFileVolumeSource = Infer<typeof azureFileVolumeSourceSchema>

export const cephFSVolumeSourceSchema = object('CephFSVolumeSource', {
  monitors: required(1, list(string(), { type: 'atomic' })),
  path: optional(2, string()),
  user: optional(3, string()),
  secretFile: optional(4, string()),
  secretRef: optional(5, localObjectReferenceSchema),
  readOnly: optional(6, boolean()),
})
export type CephFSVolumeSource = Infer<typeof cephFSVolumeSourceSchema>

export const cinderVolumeSourceSchema = object('CinderVolumeSource', {
  volumeID: required(1, string()),
  fsType: optional(2, string()),
  readOnly: optional(3, boolean()),
  secretRef: optional(4, localObjectReferenceSchema),
})
export type CinderVolumeSource = Infer<typeof cinderVolumeSourceSchema>

export const csiVolumeSourceSchema = object('CSIVolumeSource', {
  driver: required(1, string()),
  readOnly: optional(2, boolean()),
  fsType: optional(3, string()),
  volumeAttributes: optional(4, map(string())),
  nodePublishSecretRef: optional(5, localObjectReferenceSchema),
})
export type CSIVolumeSource = Infer<typeof csiVolumeSourceSchema>

export const emptyDirVolumeSourceSchema = object('EmptyDirVolumeSource', {
  medium: optional(1, string()),
  sizeLimit: optional(2, quantity()),
})
export type EmptyDirVolumeSource = Infer<typeof emptyDirVolumeSourceSchema>

export const fcVolumeSourceSchema = object('FCVolumeSource', {
  targetWWNs: optional(1, list(string(), { type: 'atomic' })),
  lun: optional(2, int32()),
  fsType: optional(3, string()),
  readOnly: optional(4, boolean()),
  wwids: optional(5, list(string(), { type: 'atomic' })),
})
export type FCVolumeSource = Infer<typeof fcVolumeSourceSchema>

export const flexVolumeSourceSchema = object('FlexVolumeSource', {
  driver: required(1, string()),
  fsType: optional(2, string()),
  secretRef: optional(3, localObjectReferenceSchema),
  readOnly: optional(4, boolean()),
  options: optional(5, map(string())),
})
export type FlexVolumeSource = Infer<typeof flexVolumeSourceSchema>

export const flockerVolumeSourceSchema = object('FlockerVolumeSource', {
  datasetName: optional(1, string()),
  datasetUUID: optional(2, string()),
})
export type FlockerVolumeSource = Infer<typeof flockerVolumeSourceSchema>

export const gcePersistentDiskVolumeSourceSchema = object('GCEPersistentDiskVolumeSource', {
  pdName: required(1, string()),
  fsType: optional(2, string()),
  partition: optional(3, int32()),
  readOnly: optional(4, boolean()),
})
export type GCEPersistentDiskVolumeSource = Infer<typeof gcePersistentDiskVolumeSourceSchema>

export const gitRepoVolumeSourceSchema = object('GitRepoVolumeSource', {
  repository: required(1, string()),
  revision: optional(2, string()),
  directory: optional(3, string()),
})
export type GitRepoVolumeSource = Infer<typeof gitRepoVolumeSourceSchema>

export const glusterfsVolumeSourceSchema = object('GlusterfsVolumeSource', {
  endpoints: required(1, string()),
  path: required(2, string()),
  readOnly: optional(3, boolean()),
})
export type GlusterfsVolumeSource = Infer<typeof glusterfsVolumeSourceSchema>

export const hostPathVolumeSourceSchema = object('HostPathVolumeSource', {
  path: required(1, string()),
  type: optional(2, string()),
})
export type HostPathVolumeSource = Infer<typeof hostPathVolumeSourceSchema>

export const iscsiVolumeSourceSchema = object('ISCSIVolumeSource', {
  targetPortal: required(1, string()),
  iqn: required(2, string()),
  lun: required(3, int32()),
  iscsiInterface: optional(4, string()),
  fsType: optional(5, string()),
  readOnly: optional(6, boolean()),
  portals: optional(7, list(string(), { type: 'atomic' })),
  chapAuthDiscovery: optional(8, boolean()),
  secretRef: optional(10, localObjectReferenceSchema),
  chapAuthSession: optional(11, boolean()),
  initiatorName: optional(12, string()),
})
export type ISCSIVolumeSource = Infer<typeof iscsiVolumeSourceSchema>

export const imageVolumeSourceSchema = object('ImageVolumeSource', {
  reference: optional(1, string()),
  pullPolicy: optional(2, string()),
})
export type ImageVolumeSource = Infer<typeof imageVolumeSourceSchema>

export const nfsVolumeSourceSchema = object('NFSVolumeSource', {
  server: required(1, string()),
  path: required(2, string()),
  readOnly: optional(3, boolean()),
})
export type NFSVolumeSource = Infer<typeof nfsVolumeSourceSchema>

export const persistentVolumeClaimVolumeSourceSchema = object('PersistentVolumeClaimVolumeSource', {
  claimName: required(1, string()),
  readOnly: optional(2, boolean()),
})
export type PersistentVolumeClaimVolumeSource = Infer<typeof persistentVolumeClaimVolumeSourceSchema>

export const photonPersistentDiskVolumeSourceSchema = object('PhotonPersistentDiskVolumeSource', {
  pdID: required(1, string()),
  fsType: optional(2, string()),
})
export type PhotonPersistentDiskVolumeSource = Infer<typeof photonPersistentDiskVolumeSourceSchema>

export const portworxVolumeSourceSchema = object('PortworxVolumeSource', {
  volumeID: required(1, string()),
  fsType: optional(2, string()),
  readOnly: optional(3, boolean()),
})
export type PortworxVolumeSource = Infer<typeof portworxVolumeSourceSchema>

export const quobyteVolumeSourceSchema = object('QuobyteVolumeSource', {
  registry: required(1, string()),
  volume: required(2, string()),
  readOnly: optional(3, boolean()),
  user: optional(4, string()),
  group: optional(5, string()),
  tenant: optional(6, string()),
})
export type QuobyteVolumeSource = Infer<typeof quobyteVolumeSourceSchema>

export const rbdVolumeSourceSchema = object('RBDVolumeSource', {
  monitors: required(1, list(string(), { type: 'atomic' })),
  image: required(2, string()),
  fsType: optional(3, string()),
  pool: optional(4, string()),
  user: optional(5, string()),
  keyring: optional(6, string()),
  secretRef: optional(7, localObjectReferenceSchema),
  readOnly: optional(8, boolean()),
})
export type RBDVolumeSource = Infer<typeof rbdVolumeSourceSchema>

export const scaleIOVolumeSourceSchema = object('ScaleIOVolumeSource', {
  gateway: required(1, string()),
  system: required(2, string()),
  secretRef: required(3, localObjectReferenceSchema),
  sslEnabled: optional(4, boolean()),
  protectionDomain: optional(5, string()),
  storagePool: optional(6, string()),
  storageMode: optional(7, string()),
  volumeName: optional(8, string()),
  fsType: optional(9, string()),
  readOnly: optional(10, boolean()),
})
export type ScaleIOVolumeSource = Infer<typeof scaleIOVolumeSourceSchema>

export const storageOSVolumeSourceSchema = object('StorageOSVolumeSource', {
  volumeName: optional(1, string()),
  volumeNamespace: optional(2, string()),
  fsType: optional(3, string()),
  readOnly: optional(4, boolean()),
  secretRef: optional(5, localObjectReferenceSchema),
})
export type StorageOSVolumeSource = Infer<typeof storageOSVolumeSourceSchema>

export const vsphereVirtualDiskVolumeSourceSchema = object('VsphereVirtualDiskVolumeSource', {
  volumePath: required(1, string()),
  fsType: optional(2, string()),
  storagePolicyName: optional(3, string()),
  storagePolicyID: optional(4, string()),
})
export type VsphereVirtualDiskVolumeSource = Infer<typeof vsphereVirtualDiskVolumeSourceSchema>
