import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import { WORKLOAD_COLUMNS } from '../workload-columns.ts'
import type { ReplicaSet } from './schema.ts'

const column = columnsOf<ReplicaSet>()

export const replicaSetColumns: readonly Column<ReplicaSet>[] = [
  NAME_COLUMN,
  column('Desired', 'Pods wanted.', { type: 'integer', cell: ({ spec }) => spec.replicas ?? 0 }),
  column('Current', 'Pods that exist.', { type: 'integer', cell: ({ status }) => status?.replicas ?? 0 }),
  column('Ready', 'Pods that are ready.', { type: 'integer', cell: ({ status }) => status?.readyReplicas ?? 0 }),
  AGE_COLUMN,
  ...WORKLOAD_COLUMNS,
]
