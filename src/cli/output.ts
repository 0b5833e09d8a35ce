import { stringify } from 'yaml'
import type { Kind, KubeObject } from '../api/index.ts'
import { labelOf } from '../cluster/index.ts'

export interface TableOptions {
  readonly isWide: boolean
  readonly withNamespace: boolean
  /** `service/web` in place of `web`. */
  readonly withType: boolean
  readonly nowMs: number
}

/** The columns that kubectl shows, one line an object. */
export const table = (kind: Kind, objects: readonly KubeObject[], options: TableOptions): string => {
  const columns = kind.columns.filter((column) => column.priority === 0 || options.isWide)
  const header = [...(options.withNamespace ? ['NAMESPACE'] : []), ...columns.map((column) => column.name.toUpperCase())]
  const rows = objects.map((object) => [
    ...(options.withNamespace ? [object.metadata.namespace ?? ''] : []),
    ...columns.map((column, i) =>
      i === 0 && options.withType ? labelOf(kind, object.metadata.name) : cellText(column.cell(object, options.nowMs)),
    ),
  ])
  return align([header, ...rows])
}

const cellText = (cell: string | number | boolean | null): string => (cell === null || cell === '' ? '<none>' : String(cell))

/** Columns three blanks apart; the last one is not padded. */
export const align = (rows: readonly (readonly string[])[]): string => {
  const widths = rows.reduce<number[]>((all, row) => {
    row.forEach((cell, i) => {
      all[i] = Math.max(all[i] ?? 0, cell.length)
    })
    return all
  }, [])
  return rows
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd((widths[i] ?? 0) + 3))).join(''))
    .join('\n')
}

export interface DocumentOptions {
  readonly format: 'yaml' | 'json'
  /** A List, however many there are: who lists gets `items` each time. */
  readonly isList: boolean
}

/** Objects as a document: one that was asked for by its name is itself, all else a List. */
export const document = (objects: readonly KubeObject[], { format, isList }: DocumentOptions): string => {
  const [first] = objects
  const isSingle = !isList && objects.length === 1 && first !== undefined
  const value = isSingle ? first : { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items: objects }
  return format === 'json'
    ? JSON.stringify(value, null, 2)
    : stringify(value, { version: '1.1', aliasDuplicateObjects: false }).trimEnd()
}

export const names = (kind: Kind, objects: readonly KubeObject[]): string =>
  objects.map((object) => labelOf(kind, object.metadata.name)).join('\n')
