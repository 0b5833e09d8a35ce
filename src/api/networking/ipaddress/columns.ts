import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { IPAddress } from './schema.ts'

export const ipAddressColumns: readonly Column<IPAddress>[] = [
  NAME_COLUMN,
  columnsOf<IPAddress>()('ParentRef', 'The object that has the address.', {
    cell: ({ spec: { parentRef } }) => {
      if (parentRef === undefined) return '<none>'
      const { group, resource, namespace, name } = parentRef
      const parts = [(group ? `${resource}.${group}` : resource).toLowerCase(), namespace, name]
      return parts.filter((part) => part !== undefined && part !== '').join('/')
    },
  }),
  AGE_COLUMN,
]
