import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { Lease } from './schema.ts'

export const leaseColumns: readonly Column<Lease>[] = [
  NAME_COLUMN,
  columnsOf<Lease>()('Holder', 'Who has it.', { cell: ({ spec }) => spec.holderIdentity ?? '' }),
  AGE_COLUMN,
]
