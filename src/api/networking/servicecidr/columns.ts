import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { ServiceCIDR } from './schema.ts'

export const serviceCIDRColumns: readonly Column<ServiceCIDR>[] = [
  NAME_COLUMN,
  columnsOf<ServiceCIDR>()('CIDRs', 'Ranges that ClusterIPs are taken from.', {
    cell: ({ spec }) => (spec.cidrs ?? []).join(','),
  }),
  AGE_COLUMN,
]
