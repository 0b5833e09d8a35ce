import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { Secret } from './schema.ts'

const column = columnsOf<Secret>()

export const secretColumns: readonly Column<Secret>[] = [
  NAME_COLUMN,
  column('Type', 'What it is for.', { cell: ({ type }) => type ?? '' }),
  column('Data', 'How many keys it has.', { type: 'integer', cell: ({ data }) => Object.keys(data ?? {}).length }),
  AGE_COLUMN,
]
