import { badRequest, type Problem } from '../../api/index.ts'
import { invalidOptions } from './failures.ts'

type Query = Readonly<Record<string, string>>

export interface WriteOptions {
  readonly dryRun: boolean
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict'
  /** Fields that occur twice in the body's text: JSON.parse took the last. */
  readonly duplicateFields?: readonly string[]
}

interface WriteRequest {
  readonly query: Query
  readonly duplicateFields?: readonly string[]
}

/** Options of a create, update or patch; `kind` is their name for errors, such as `CreateOptions`. */
export const writeOptions = ({ query, duplicateFields = [] }: WriteRequest, kind: string): WriteOptions => {
  const problems: Problem[] = []
  const dryRun = dryRunOf(query['dryRun'] === undefined ? [] : [query['dryRun']], problems)
  const fieldValidation = query['fieldValidation'] || 'Warn'
  if (!isFieldValidation(fieldValidation)) {
    problems.push({
      path: 'fieldValidation',
      type: 'NotSupported',
      value: fieldValidation,
      detail: 'supported values: "Ignore", "Warn", "Strict"',
    })
  }
  const manager = query['fieldManager'] ?? ''
  if (manager.length > 128) problems.push({ path: 'fieldManager', type: 'TooLong', detail: 'may not be more than 128 bytes' })
  if (problems.length > 0) throw invalidOptions(kind, problems)
  return { dryRun, fieldValidation: isFieldValidation(fieldValidation) ? fieldValidation : 'Warn', duplicateFields }
}

const isFieldValidation = (text: string): text is WriteOptions['fieldValidation'] =>
  text === 'Ignore' || text === 'Warn' || text === 'Strict'

/** True when the request is to be processed but not stored; adds a problem when it asks for something else. */
export const dryRunOf = (values: readonly string[], problems: Problem[]): boolean => {
  for (const value of values) {
    if (value === 'All') continue
    problems.push({ path: 'dryRun', type: 'NotSupported', value, detail: 'supported values: "All"' })
  }
  return values.includes('All')
}

/** A boolean parameter as Kubernetes reads it: absent, `0` and `false` are false. */
export const booleanParameter = (query: Query, name: string): boolean => {
  const value = query[name]
  return value !== undefined && value !== '0' && value.toLowerCase() !== 'false'
}

/** A non-negative integer; undefined when absent or empty. */
export const integerParameter = (query: Query, name: string): number | undefined => {
  const value = query[name]
  if (value === undefined || value === '') return undefined
  const number = Number(value)
  if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw badRequest(`unable to decode query parameter ${name}: invalid value "${value.slice(0, 64)}"`)
  }
  return number
}

/** A resourceVersion: undefined when absent or empty. */
export const revisionParameter = (query: Query, name: string): number | undefined => {
  const value = query[name]
  if (value === undefined || value === '') return undefined
  const revision = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(revision)) {
    throw badRequest(`Invalid value: "${value.slice(0, 64)}": strconv.ParseUint: parsing "${value.slice(0, 64)}": invalid syntax`)
  }
  return revision
}
