import { AGE_COLUMN, columnsOf, firstThree, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { EndpointSlice } from './schema.ts'

const column = columnsOf<EndpointSlice>()

export const endpointSliceColumns: readonly Column<EndpointSlice>[] = [
  NAME_COLUMN,
  column('AddressType', 'Family of the addresses.', { cell: ({ addressType }) => addressType }),
  column('Ports', 'Ports at every address.', {
    cell: ({ ports }) =>
      firstThree(
        (ports ?? []).map(({ port, name }) => String(port ?? (name || '*'))),
        '<unset>',
      ),
  }),
  column('Endpoints', 'Addresses, ready or not.', {
    cell: ({ endpoints }) =>
      firstThree(
        (endpoints ?? []).flatMap(({ addresses }) => addresses),
        '<unset>',
      ),
  }),
  AGE_COLUMN,
]
