import { type Document, isMap, parseAllDocuments } from 'yaml'
import { errorMessage } from '../../base/index.ts'
import { FIELDS } from './fields.ts'
import { checkValue, isZero, type Problem, type Values } from './values.ts'

export interface ReadConfiguration {
  readonly values: Values
  readonly problems: readonly Problem[]
  /** Fields that change nothing here, and those that nobody knows. */
  readonly warnings: readonly string[]
}

const API_VERSION = 'kubeproxy.config.k8s.io/v1alpha1'
const KIND = 'KubeProxyConfiguration'

/**
 * The text of a configuration file, YAML or JSON; of several documents the one of our kind counts. All problems at once: wrong types and wrong
 * kind are problems, unknown fields and those without effect are warnings; `null` is "not set".
 */
export const readConfiguration = (text: string, file: string): ReadConfiguration => {
  const documents = parseDocuments(text)
  if (typeof documents === 'string') return failed(file, documents)
  const ours = documents.filter((each) => isRecord(each) && each['kind'] === KIND)
  const [root] = ours
  if (!isRecord(root)) return failed(file, `holds no ${KIND} (apiVersion: ${API_VERSION})`)
  if (ours.length > 1) return failed(file, `holds ${ours.length} documents of kind ${KIND}; keep one`)
  if (root['apiVersion'] !== API_VERSION) {
    return failed(file, `apiVersion must be ${API_VERSION}, is ${JSON.stringify(root['apiVersion']) ?? 'missing'}`)
  }
  const { apiVersion: _version, kind: _kind, ...rest } = root
  return collect(rest, file)
}

const failed = (where: string, reason: string): ReadConfiguration => ({
  values: new Map(),
  problems: [{ where, reason }],
  warnings: [],
})

/** The documents as plain values, or what is wrong with the text. */
const parseDocuments = (text: string): readonly unknown[] | string => {
  try {
    const documents: readonly Document[] = [...parseAllDocuments(text, { version: '1.1', prettyErrors: true })]
    const [error] = documents.flatMap(({ errors }) => errors)
    if (error !== undefined) return `is no YAML: ${error.message.split('\n')[0]}`
    // Aliases may multiply without end: the library's own limit throws.
    return documents.filter(({ contents }) => isMap(contents)).map((document) => document.toJS())
  } catch (error) {
    return `is no YAML: ${errorMessage(error).split('\n')[0]}`
  }
}

const collect = (root: Readonly<Record<string, unknown>>, file: string): ReadConfiguration => {
  const values = new Map<string, { readonly value: NonNullable<ReturnType<Values['get']>>['value']; readonly where: string }>()
  const problems: Problem[] = []
  const warnings: string[] = []
  const take = (path: string, value: unknown): void => {
    if (value === null) return
    const where = `${file}: ${path}`
    const field = FIELDS[path]
    if (field !== undefined) {
      const checked = checkValue(field.type, value)
      if ('reason' in checked) problems.push({ where, reason: checked.reason })
      else if (field.ignored === undefined) values.set(path, { value: checked.value, where })
      else if (!isZero(value)) warnings.push(`${where} has no effect: ${field.ignored}`)
    } else if (!isGroup(path)) warnings.push(`${where} is unknown and has no effect`)
    else if (isRecord(value)) for (const [name, inner] of Object.entries(value)) take(`${path}.${name}`, inner)
    else problems.push({ where, reason: `must be a map of fields, is ${JSON.stringify(value)}` })
  }
  for (const [name, value] of Object.entries(root)) take(name, value)
  return { values, problems, warnings }
}

const isGroup = (path: string): boolean => Object.keys(FIELDS).some((known) => known.startsWith(`${path}.`))

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
