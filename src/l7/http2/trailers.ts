import { FORBIDDEN_TRAILER } from '../http1/chunked.ts'
import { Field } from '../http1/fields.ts'
import { fieldName, isFieldValue } from './field-names.ts'

const COLON = 0x3a

/** The lines of a trailer section (name, value, name, …) that may be passed on; undefined when it is malformed. */
export const trailerLines = (list: readonly string[]): string | undefined => {
  let lines = ''
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at] as string
    const value = list[at + 1] as string
    const { kind, lower, isConnectionSpecific } = fieldName(name)
    if (name.charCodeAt(0) === COLON || kind === -1 || isConnectionSpecific || lower !== name || !isFieldValue(value))
      return undefined
    if (kind === Field.keep && !FORBIDDEN_TRAILER.test(name)) lines += `${name}: ${value}\r\n`
  }
  return lines
}
