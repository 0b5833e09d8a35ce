import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { TkeServiceConfig } from './schema.ts'

export const tkeServiceConfigColumns: readonly Column<TkeServiceConfig>[] = [
  NAME_COLUMN,
  columnsOf<TkeServiceConfig>()('Listeners', 'Which listeners it sets.', { cell: ({ spec }) => listenersOf(spec) }),
  AGE_COLUMN,
]

const listenersOf = ({ loadBalancer = {} }: TkeServiceConfig['spec']): string =>
  [...(loadBalancer.l4Listeners ?? []), ...(loadBalancer.l7Listeners ?? [])]
    .map(({ protocol = '', port = 0 }) => `${protocol}:${port}`)
    .join(',')
