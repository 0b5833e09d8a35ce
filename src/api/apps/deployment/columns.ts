import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import { WORKLOAD_COLUMNS } from '../workload-columns.ts'
import type { Deployment } from './schema.ts'

const column = columnsOf<Deployment>()

export const deploymentColumns: readonly Column<Deployment>[] = [
  NAME_COLUMN,
  column('Ready', 'Pods that are ready, of those wanted.', {
    cell: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
  }),
  column('Up-to-date', 'Pods of the newest template.', {
    type: 'integer',
    cell: ({ status }) => status?.updatedReplicas ?? 0,
  }),
  column('Available', 'Pods that were ready for long enough.', {
    type: 'integer',
    cell: ({ status }) => status?.availableReplicas ?? 0,
  }),
  AGE_COLUMN,
  ...WORKLOAD_COLUMNS,
]
