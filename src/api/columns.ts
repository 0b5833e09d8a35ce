import { ageOf } from './human-duration.ts'
import type { Column, KubeObject } from './kind.ts'

type Cell = string | number | boolean | null

interface ColumnOptions {
  readonly type?: Column<KubeObject>['type']
  /** Shown only with `-o wide`. */
  readonly wide?: boolean
}

/** A function that makes the columns of one kind: name, what it shows, how it is read. */
export const columnsOf =
  <T extends KubeObject>() =>
  (
    name: string,
    description: string,
    { cell, type = 'string', wide = false }: ColumnOptions & { cell(object: T, nowMs: number): Cell },
  ): Column<T> => ({ name, type, description, priority: wide ? 1 : 0, cell })

export const NAME_COLUMN: Column<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique in its namespace.',
  priority: 0,
  cell: (object) => object.metadata.name,
}

export const AGE_COLUMN: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  priority: 0,
  cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
}

/** `a=b,c=d` in the order of keys; `<none>` when there are none. */
export const labelsCell = (labels: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',') || '<none>'

/** The first three of a list and how many more there are. */
export const firstThree = (items: readonly string[], none: string): string => {
  if (items.length === 0) return none
  const shown = items.slice(0, MAX_SHOWN).join(',')
  return items.length > MAX_SHOWN ? `${shown} + ${items.length - MAX_SHOWN} more...` : shown
}

const MAX_SHOWN = 3
