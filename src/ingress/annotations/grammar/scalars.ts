import { is, isNot, type Parser } from './reading.ts'

/** As Go's `strconv.ParseBool`, which ingress-nginx reads booleans with. */
export const boolean: Parser<boolean> = (text) => {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return is(true)
  return /^(?:0|f|F|false|FALSE|False)$/.test(text) ? is(false) : isNot('true or false')
}

/** As nginx's own directives have it. */
export const onOff: Parser<boolean> = (text) => {
  if (text === 'on') return is(true)
  return text === 'off' ? is(false) : isNot('on or off')
}

/** A whole number in decimal, from `from` to `to`. */
export const integer =
  (from: number, to: number): Parser<number> =>
  (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    return value >= from && value <= to ? is(value) : isNot(`a whole number from ${from} to ${to}`)
  }

/** A status code among these. */
export const status =
  <const S extends number>(...allowed: readonly S[]): Parser<S> =>
  (text) => {
    const found = allowed.find((each) => String(each) === text)
    return found === undefined ? isNot(`a status among ${allowed.join(', ')}`) : is(found)
  }

export const errorStatus: Parser<number> = integer(400, 599)

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }
const LARGEST_SIZE = 2 ** 50

/** Bytes as nginx writes them: `8m`, `512k`, `1g`, `0`. */
export const size: Parser<number> = (text) => {
  const [, digits, unit] = /^(\d{1,15})([kKmMgG]?)$/.exec(text) ?? []
  const bytes = Number(digits) * (SIZE_UNITS[unit?.toLowerCase() ?? ''] ?? Number.NaN)
  return digits !== undefined && bytes <= LARGEST_SIZE ? is(bytes) : isNot('a size such as 8m, 512k, 1g or 0')
}

const LONGEST_SECONDS = 2_000_000

/** Seconds without a unit, as ingress-nginx wants its timeouts; in milliseconds. */
export const seconds: Parser<number> = (text) => {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN
  return value >= 1 && value <= LONGEST_SECONDS
    ? is(value * 1000)
    : isNot(`a number of seconds without a unit, from 1 to ${LONGEST_SECONDS}`)
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  '': 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** `30s`, `5m`, `500ms`, or seconds; in milliseconds. */
export const duration: Parser<number> = (text) => {
  const [, digits, unit = ''] = /^(\d{1,9})(ms|[smhdw]?)$/.exec(text) ?? []
  const ms = Number(digits) * (DURATION_UNITS[unit] ?? Number.NaN)
  return digits !== undefined && ms <= LONGEST_SECONDS * 1000 ? is(ms) : isNot('a duration such as 30s, 5m or 500ms')
}
