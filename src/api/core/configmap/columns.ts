import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { ConfigMap } from './schema.ts'

export const configMapColumns: readonly Column<ConfigMap>[] = [
  NAME_COLUMN,
  columnsOf<ConfigMap>()('Data', 'How many keys it has.', {
    type: 'integer',
    cell: ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
  }),
  AGE_COLUMN,
]
