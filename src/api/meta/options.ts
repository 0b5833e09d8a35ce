import { boolean, type Infer, int64, list, object, optional, string } from '../../schema/index.ts'

const preconditionsSchema = object('Preconditions', {
  uid: optional(1, string()),
  resourceVersion: optional(2, string()),
})
export type Preconditions = Infer<typeof preconditionsSchema>

export const deleteOptionsSchema = object('DeleteOptions', {
  gracePeriodSeconds: optional(1, int64()),
  preconditions: optional(2, preconditionsSchema),
  orphanDependents: optional(3, boolean()),
  propagationPolicy: optional(4, string()),
  dryRun: optional(5, list(string(), { type: 'atomic' })),
  ignoreStoreReadErrorWithClusterBreakingPotential: optional(6, boolean()),
  apiVersion: optional(undefined, string()),
  kind: optional(undefined, string()),
})
export type DeleteOptions = Infer<typeof deleteOptionsSchema>
