import type { KubeObject } from '../../api/index.ts'
import type { Entry, Revision } from '../../store/index.ts'

/** The stored form of an object: JSON without the resourceVersion, which is the revision of the entry. */
export const encodeObject = (object: KubeObject): Uint8Array => {
  const { resourceVersion: _, ...metadata } = object.metadata
  return Buffer.from(JSON.stringify({ ...object, metadata }), 'utf8')
}

/** The object of a stored entry, with the entry's revision as its resourceVersion. */
export const decodeEntry = (entry: Entry): KubeObject => withResourceVersion(parseStored(entry.value), entry.modRevision)

/** A copy of `object` that says it is of `revision`. */
export const withResourceVersion = <T extends KubeObject>(object: T, revision: Revision): T => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
})

// Only encodeObject writes these bytes, so that their shape is known.
const parseStored = (value: Uint8Array): KubeObject =>
  JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')) as KubeObject
