import type { FieldType } from './fields.ts'

/** A value that has been checked against the type of its field; durations are milliseconds. */
export type FieldValue = string | boolean | number | readonly string[]

/** What somebody set, by the field's path, with where they did. */
export type Values = ReadonlyMap<string, { readonly value: FieldValue; readonly where: string }>

/** What is wrong at which place, to be told with all others at once. */
export interface Problem {
  /** A flag, or the path of a field in its file. */
  readonly where: string
  readonly reason: string
}

export type Checked = { readonly value: FieldValue } | { readonly reason: string }

/** A value of a file. */
export const checkValue = (type: FieldType, value: unknown): Checked => {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? { value } : wrong('a string', value)
    case 'boolean':
      return typeof value === 'boolean' ? { value } : wrong('true or false', value)
    case 'integer':
      return Number.isSafeInteger(value) ? { value: Number(value) } : wrong('a whole number', value)
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? { value } : wrong('a number', value)
    case 'duration': {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined
      return ms === undefined ? wrong('a duration such as "30s"', value) : { value: ms }
    }
    case 'strings':
      return isStrings(value) ? { value } : wrong('a list of strings', value)
    case 'anything':
      return { value: isZero(value) ? '' : JSON.stringify(value) }
    default:
      return type satisfies never
  }
}

/** A value of a flag, always text. */
export const checkText = (type: FieldType, text: string): Checked => {
  switch (type) {
    case 'boolean':
      return checkValue(type, text === 'true' ? true : text === 'false' ? false : text)
    case 'integer':
    case 'number':
      return checkValue(type, text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text))
    case 'strings':
      return checkValue(
        type,
        text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()])),
      )
    case 'string':
    case 'duration':
    case 'anything':
      return checkValue(type, text)
    default:
      return type satisfies never
  }
}

const wrong = (expected: string, value: unknown): Checked => ({ reason: `must be ${expected}, is ${shown(value)}` })

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Go's durations: `1h2m3.5s`, `100ms`, `0`; undefined for anything else, and for negative ones. */
const parseDuration = (text: string): number | undefined => {
  if (text === '0') return 0
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  let ms = 0
  for (const [, number = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(number) * (UNIT_MS[unit] ?? 0)
  }
  return ms
}

/** What generators of configuration write for "not set": `""`, `0`, `"0s"`, `false`, `[]`, and maps of nothing else. */
export const isZero = (value: unknown): boolean => {
  if (value === null || value === undefined || value === false || value === 0) return true
  if (typeof value === 'string') return value === '' || Number(value) === 0 || parseDuration(value) === 0
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && Object.values(value).every(isZero)
}
