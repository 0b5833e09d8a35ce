import { isToken } from '../http1/fields.ts'
import type { FieldEdits } from '../table/index.ts'
import type { FieldLines, RequestView } from './contract.ts'
import { fieldText, type Text } from './template.ts'

/** Field lines (each with its CRLF) after a change of them. */
export const withFieldLines = (fields: string, { remove, lines }: FieldLines): string =>
  remove.length === 0 ? fields + lines : withoutFields(fields, new FieldNames(remove)) + lines

/** Lower-case names of fields, and their `_` and `.` spellings, which many programs take for the same. */
export class FieldNames {
  readonly #names: ReadonlySet<string>
  /** One bit for each length: most fields are of another and need no closer look. */
  readonly #lengths: number

  constructor(names: Iterable<string>) {
    this.#names = new Set(names)
    let lengths = 0
    for (const name of this.#names) lengths |= lengthBit(name.length)
    this.#lengths = lengths
  }

  get isEmpty(): boolean {
    return this.#lengths === 0
  }

  /** Whether the text between two places is one of the names. */
  has(fields: string, from: number, to: number): boolean {
    if ((this.#lengths & lengthBit(to - from)) === 0) return false
    const name = fields.slice(from, to).toLowerCase()
    return this.#names.has(name) || (ALIAS.test(name) && this.#names.has(name.replace(ALIASES, '-')))
  }
}

const lengthBit = (length: number): number => 1 << Math.min(length, 31)
const ALIAS = /[_.]/
const ALIASES = /[_.]/g

export const withoutFields = (fields: string, names: FieldNames): string => {
  if (names.isEmpty) return fields
  let kept = ''
  let keptFrom = 0
  for (let from = 0; from < fields.length; ) {
    const end = fields.indexOf('\r\n', from)
    const to = end === -1 ? fields.length : end + 2
    if (names.has(fields, from, fields.indexOf(':', from))) {
      kept += fields.slice(keptFrom, from)
      keptFrom = to
    }
    from = to
  }
  return keptFrom === 0 ? fields : kept + fields.slice(keptFrom)
}

/** Field lines with each one whose lower-case name is `name` replaced by what `change` makes of its value. */
export const mapFields = (fields: string, name: string, change: (value: string) => string): string => {
  let changed = ''
  let keptFrom = 0
  for (let from = 0; from < fields.length; ) {
    const end = fields.indexOf('\r\n', from)
    const to = end === -1 ? fields.length : end
    if (nameOf(fields, from, to) === name) {
      const colon = from + name.length
      changed += `${fields.slice(keptFrom, colon)}: ${change(fields.slice(colon + 1, to).trim())}`
      keptFrom = to
    }
    from = to + 2
  }
  return keptFrom === 0 ? fields : changed + fields.slice(keptFrom)
}

const nameOf = (fields: string, from: number, to: number): string => {
  const colon = fields.indexOf(':', from)
  return colon === -1 || colon > to ? '' : fields.slice(from, colon).toLowerCase()
}

export const fieldLine = (name: string, value: string): string => (value === '' ? '' : `${displayName(name)}: ${value}\r\n`)

/** `x-request-id` as `X-Request-Id`. */
const displayName = (name: string): string => name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase())

/**
 * Fields are removed, then set (the ones of that name go first; an empty value only removes, as with nginx), then added. Framing and
 * hop-by-hop fields and what is no name are never touched.
 */
export const compileEdits = (edits: FieldEdits): ((fields: string, request: RequestView, status?: number) => string) => {
  const set = named(edits.set)
  const add = named(edits.add)
  const remove = (edits.remove ?? []).map((name) => name.toLowerCase()).filter(mayEdit)
  const removed = new FieldNames(remove)
  const replaced = new FieldNames([...remove, ...set.map(({ name }) => name)])
  const statuses = edits.statuses && new Set(edits.statuses)
  const lines = [...set, ...add]
  return (fields, request, status) => {
    if (statuses !== undefined && status !== undefined && !statuses.has(status)) return withoutFields(fields, removed)
    let edited = withoutFields(fields, replaced)
    for (const { display, value } of lines) {
      const text = value(request)
      if (text !== '') edited += `${display}: ${text}\r\n`
    }
    return edited
  }
}

const named = (edits: FieldEdits['set']): readonly { readonly name: string; readonly display: string; readonly value: Text }[] =>
  (edits ?? [])
    .map(([name, template]) => ({
      name: name.toLowerCase(),
      display: displayName(name.toLowerCase()),
      value: fieldText(template),
    }))
    .filter(({ name }) => mayEdit(name))

const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A name in lower case that settings may set: no framing, nothing hop by hop. */
export const mayEdit = (name: string): boolean => isToken(name) && !FRAMING.has(name)
