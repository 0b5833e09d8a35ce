import type { Schema } from '../../schema/index.ts'
import { applyJsonPatch } from './json-patch.ts'
import { refuseDeep } from './json-value.ts'
import { applyMergePatch } from './merge-patch.ts'
import { applyStrategicPatch } from './strategic-patch.ts'

export interface PatchRequest {
  readonly type: 'json' | 'merge' | 'strategic'
  /** Of the object: how a strategic merge patch merges its lists. */
  readonly schema: Schema<unknown>
  /** The object as it is; never changed, but the result may share parts with it. */
  readonly current: unknown
  /** The parsed body. */
  readonly patch: unknown
}

/**
 * The object after the patch: a JSON value that is yet to be checked against the schema and validated.
 * Throws an ApiError: 400 for a body that is no such patch, 413 and 422 as `applyJsonPatch` says.
 */
export const applyPatch = ({ type, schema, current, patch }: PatchRequest): unknown => {
  refuseDeep(patch)
  switch (type) {
    case 'json':
      return applyJsonPatch(current, patch)
    case 'merge':
      return applyMergePatch(current, patch)
    case 'strategic':
      return applyStrategicPatch(schema.node, current, patch)
    default:
      return type satisfies never
  }
}
