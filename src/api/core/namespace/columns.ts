import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { Namespace } from './schema.ts'

export const namespaceColumns: readonly Column<Namespace>[] = [
  NAME_COLUMN,
  columnsOf<Namespace>()('Status', 'Whether it is in use or on its way out.', { cell: ({ status }) => status?.phase ?? '' }),
  AGE_COLUMN,
]
