import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { ServiceAccount } from './schema.ts'

export const serviceAccountColumns: readonly Column<ServiceAccount>[] = [
  NAME_COLUMN,
  columnsOf<ServiceAccount>()('Secrets', 'How many Secrets its pods may mount.', {
    type: 'integer',
    cell: ({ secrets }) => (secrets ?? []).length,
  }),
  AGE_COLUMN,
]
