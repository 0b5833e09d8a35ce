import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { IngressClass } from './schema.ts'

const column = columnsOf<IngressClass>()

export const ingressClassColumns: readonly Column<IngressClass>[] = [
  NAME_COLUMN,
  column('Controller', 'Who serves Ingresses of this class.', { cell: ({ spec }) => spec.controller ?? '' }),
  column('Parameters', 'The object that configures the controller.', {
    cell: ({ spec: { parameters } }) => {
      if (parameters === undefined) return '<none>'
      const { apiGroup, kind, name } = parameters
      return `${apiGroup ? `${kind}.${apiGroup}` : kind}/${name}`
    },
  }),
  AGE_COLUMN,
]
