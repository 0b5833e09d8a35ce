import type { KubeObject, ListMeta, ObjectMeta } from '../../api/index.ts'
import type { MetaVersion } from './negotiate.ts'

export interface PartialObjectMetadata {
  readonly kind: 'PartialObjectMetadata'
  readonly apiVersion: string
  readonly metadata: ObjectMeta
}

export interface PartialObjectMetadataList {
  readonly kind: 'PartialObjectMetadataList'
  readonly apiVersion: string
  readonly metadata: ListMeta
  readonly items: readonly PartialObjectMetadata[]
}

/** An object without everything but its metadata, as garbage collectors and tables want it. */
export const toPartialMetadata = (object: KubeObject, version: MetaVersion): PartialObjectMetadata => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
})

/** A list of them; `metadata` is that of the list. */
export const toPartialMetadataList = (
  objects: readonly KubeObject[],
  version: MetaVersion,
  metadata: ListMeta,
): PartialObjectMetadataList => ({
  kind: 'PartialObjectMetadataList',
  apiVersion: `meta.k8s.io/${version}`,
  metadata,
  items: objects.map((object) => toPartialMetadata(object, version)),
})
