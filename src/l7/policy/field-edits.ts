import { isToken } from '../http1/fields.ts'
import type { FieldEdits } from '../table/index.ts'
import type { FieldLines, RequestView } from './contract.ts'
import { fieldText, type Text } from './template.ts'

/** Field lines (each with its CRLF) after a change of them. */
export const withFieldLines = (fields: string, { remove, lines }: FieldLines): string =>
  remove.length === 0 ? fields + lines : withoutFields(fields, new Set(remove)) + lines

/** Field lines without those whose lower-case name, or whose `_` or `.` spelling of one (many programs take it for the same), is in `names`. */
export const withoutFields = (fields: string, names: ReadonlySet<string>): string => {
  if (names.size === 0) return fields
  let kept = ''
  let keptFrom = 0
  for (let from = 0; from < fields.length; ) {
    const end = fields.indexOf('\r\n', from)
    const to = end === -1 ? fields.length : end + 2
    const name = nameOf(fields, from, to)
    if (names.has(name) || (ALIAS.test(name) && names.has(name.replace(ALIASES, '-')))) {
      kept += fields.slice(keptFrom, from)
      keptFrom = to
    }
    from = to
  }
  return keptFrom === 0 ? fields : kept + fields.slice(keptFrom)
}

const ALIAS = /[_.]/
const ALIASES = /[_.]/g

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
  const removed = new Set((edits.remove ?? []).map((name) => name.toLowerCase()).filter(mayEdit))
  const replaced = new Set([...removed, ...set.map(({ name }) => name)])
  const statuses = edits.statuses && new Set(edits.statuses)
  const lines = [...set, ...add]
  return (fields, request, status) => {
    if (statuses !== undefined && status !== undefined && !statuses.has(status)) return withoutFields(fields, removed)
    let edited = withoutFields(fields, replaced)
    for (const { name, value } of lines) edited += fieldLine(name, value(request))
    return edited
  }
}

const named = (edits: FieldEdits['set']): readonly { readonly name: string; readonly value: Text }[] =>
  (edits ?? [])
    .map(([name, template]) => ({ name: name.toLowerCase(), value: fieldText(template) }))
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
