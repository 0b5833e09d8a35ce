import { AGE_COLUMN, columnsOf, firstThree, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { Ingress } from './schema.ts'

const column = columnsOf<Ingress>()

export const ingressColumns: readonly Column<Ingress>[] = [
  NAME_COLUMN,
  column('Class', 'IngressClass that serves it.', { cell: ({ spec }) => spec.ingressClassName ?? '<none>' }),
  column('Hosts', 'Hosts that its rules are for.', {
    cell: ({ spec }) =>
      firstThree(
        (spec.rules ?? []).flatMap(({ host }) => (host ? [host] : [])),
        '*',
      ),
  }),
  column('Address', 'Where it is served.', {
    cell: ({ status }) => (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip || hostname || []).join(','),
  }),
  column('Ports', 'Ports of the entry: 443 with TLS.', {
    cell: ({ spec }) => ((spec.tls ?? []).length > 0 ? '80, 443' : '80'),
  }),
  AGE_COLUMN,
]
