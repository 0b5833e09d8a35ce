import { FIELDS, FLAG_FIELDS } from './fields.ts'
import type { ReadConfiguration } from './read-file.ts'
import { checkText, type FieldValue, type Problem } from './values.ts'

/** One option of the command line. */
export interface Flag {
  /** `--cluster-cidr`. */
  readonly flag: string
  /** The field that it sets: a path of {@link FIELDS} or of {@link FLAG_FIELDS}. */
  readonly path: string
  readonly text: string
}

/** The command line in the form of a file; throws for a flag whose field nobody knows, which is a bug. */
export const readFlags = (flags: readonly Flag[]): ReadConfiguration => {
  const values = new Map<string, { readonly value: FieldValue; readonly where: string }>()
  const problems: Problem[] = []
  const warnings: string[] = []
  for (const { flag, path, text } of flags) {
    const field = FIELDS[path] ?? FLAG_FIELDS[path]
    if (field === undefined) throw new Error(`${flag} sets the unknown field ${path}`)
    const checked = checkText(field.type, text)
    if ('reason' in checked) problems.push({ where: flag, reason: checked.reason })
    else if (field.ignored === undefined) values.set(path, { value: checked.value, where: flag })
    else warnings.push(`${flag} has no effect: ${field.ignored}`)
  }
  return { values, problems, warnings }
}
