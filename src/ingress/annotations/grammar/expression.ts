import { RE2JS } from 're2js'
import { is, isNot, type Parser } from './reading.ts'

const LONGEST = 1_024
/** Instructions of the compiled program: what one match costs for each character at most. */
const LARGEST_PROGRAM = 2_000

/** A regular expression of RE2: no backtracking, so no expression that takes forever; no look-around and no back references. */
export const expression: Parser<string> = (text) => {
  if (text === '' || text.length > LONGEST) return isNot(`a regular expression of 1 to ${LONGEST} characters`)
  if (!/^[ -~]*$/.test(text)) return isNot('a regular expression of printable characters')
  try {
    const compiled = RE2JS.compile(text, RE2JS.CASE_INSENSITIVE)
    return compiled.programSize() <= LARGEST_PROGRAM ? is(text) : isNot('a regular expression that is not that large')
  } catch {
    return isNot('a regular expression of RE2 (no look-around, no back references)')
  }
}
