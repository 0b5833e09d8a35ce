import { badRequest, type Column, type Kind, type KubeObject, type ListMeta } from '../../api/index.ts'
import { toPartialMetadata } from './metadata.ts'
import type { MetaVersion } from './negotiate.ts'

/** What a row carries beside its cells (`?includeObject=`). */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** Reads `?includeObject=`; throws a BadRequest ApiError for anything else. */
export const parseIncludeObject = (value: string | undefined): IncludeObject => {
  switch (value) {
    case undefined:
    case '':
    case 'Metadata':
      return 'Metadata'
    case 'None':
    case 'Object':
      return value
    default:
      throw badRequest(`unrecognized includeObject value: "${value.slice(0, 100)}"`)
  }
}

export interface TableOptions {
  readonly version: MetaVersion
  readonly includeObject: IncludeObject
  /** For ages. */
  readonly nowMs: number
  /** Of the list, or of the one object. */
  readonly metadata?: ListMeta
  /** Left out in all but the first event of a watch. */
  readonly omitColumns?: boolean
}

export interface Table {
  readonly kind: 'Table'
  readonly apiVersion: string
  readonly metadata: ListMeta
  readonly columnDefinitions: readonly ColumnDefinition[] | null
  readonly rows: readonly TableRow[]
}

interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
}

interface TableRow {
  readonly cells: readonly Cell[]
  readonly object?: unknown
}

type Cell = string | number | boolean | null

/** The objects as `kubectl get` prints them; a cell that cannot be computed is empty, so that one odd object doesn't hide the others. */
export const toTable = <T extends KubeObject>(
  kind: Pick<Kind<T>, 'columns'>,
  objects: readonly T[],
  options: TableOptions,
): Table => {
  const columns: readonly Column<T>[] = kind.columns.length > 0 ? kind.columns : defaultColumns
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata: options.metadata ?? {},
    columnDefinitions: options.omitColumns === true ? null : columns.map(columnDefinition),
    rows: objects.map((object) => ({
      cells: columns.map((column) => cellOf(column, object, options.nowMs)),
      object: rowObject(object, options),
    })),
  }
}

const columnDefinition = <T extends KubeObject>(column: Column<T>): ColumnDefinition => ({
  name: column.name,
  type: column.type,
  format: column.format ?? '',
  description: column.description,
  priority: column.priority,
})

const cellOf = <T extends KubeObject>(column: Column<T>, object: T, nowMs: number): Cell => {
  try {
    return column.cell(object, nowMs)
  } catch {
    return '<unknown>'
  }
}

const rowObject = (object: KubeObject, { includeObject, version }: TableOptions): unknown => {
  switch (includeObject) {
    case 'None':
      return undefined
    case 'Metadata':
      return toPartialMetadata(object, version)
    case 'Object':
      return object
    default:
      return includeObject satisfies never
  }
}

const defaultColumns: readonly Column<KubeObject>[] = [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name of the object, unique in its namespace.',
    priority: 0,
    cell: (object) => object.metadata.name,
  },
  {
    // kubectl turns a cell of type date into an age.
    name: 'Age',
    type: 'date',
    description: 'Time since the object was created.',
    priority: 0,
    cell: (object) => object.metadata.creationTimestamp ?? null,
  },
]
