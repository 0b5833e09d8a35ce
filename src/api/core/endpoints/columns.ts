import { AGE_COLUMN, columnsOf, firstThree, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { Endpoints } from './schema.ts'

export const endpointsColumns: readonly Column<Endpoints>[] = [
  NAME_COLUMN,
  columnsOf<Endpoints>()('Endpoints', 'Addresses and ports that are ready.', {
    cell: ({ subsets }) => firstThree((subsets ?? []).flatMap(socketsOf), '<none>'),
  }),
  AGE_COLUMN,
]

const socketsOf = ({ addresses = [], ports = [] }: NonNullable<Endpoints['subsets']>[number]): readonly string[] =>
  ports.length === 0
    ? addresses.map(({ ip }) => ip)
    : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`))
