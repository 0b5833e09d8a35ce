import { badRequest, type Kind, type KubeObject } from '../../api/index.ts'

/** Whether the selectors of `query` choose `object`. */
export const isSelected = (kind: Kind, object: KubeObject, query: Readonly<Record<string, string>>): boolean =>
  matchesLabels(object.metadata.labels ?? {}, query['labelSelector'] ?? '') &&
  matchesFields(kind, object, query['fieldSelector'] ?? '')

const SET_TERM = /^([^\s!=]+)\s+(in|notin)\s+\(([^)]*)\)$/
const EQUALITY_TERM = /^([^\s!=]+)\s*(==|=|!=)\s*(\S*)$/

const matchesLabels = (labels: Readonly<Record<string, string>>, selector: string): boolean =>
  selector
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== '')
    .every((term) => matchesTerm(labels, term))

const matchesTerm = (labels: Readonly<Record<string, string>>, term: string): boolean => {
  const [, setKey, operator, values] = SET_TERM.exec(term) ?? []
  if (setKey !== undefined && values !== undefined) {
    const isIn = values.split(',').some((value) => value.trim() === labels[setKey])
    return operator === 'in' ? isIn : !isIn
  }
  const [, key, relation, value] = EQUALITY_TERM.exec(term) ?? []
  if (key !== undefined) return relation === '!=' ? labels[key] !== value : labels[key] === value
  return term.startsWith('!') ? labels[term.slice(1)] === undefined : labels[term] !== undefined
}

const matchesFields = (kind: Kind, object: KubeObject, selector: string): boolean =>
  selector
    .split(',')
    .filter((term) => term.trim() !== '')
    .every((term) => {
      const [, path, relation, value] = EQUALITY_TERM.exec(term.trim()) ?? []
      if (path === undefined) throw badRequest(`invalid field selector ${term}`)
      const found = readField(kind, object, path)
      return relation === '!=' ? found !== value : found === value
    })

const readField = (kind: Kind, object: KubeObject, path: string): string => {
  const declared = kind.selectableFields.find((field) => field.path === path)
  if (declared) return declared.read(object)
  const value = path.split('.').reduce<unknown>((part, key) => (isRecord(part) ? part[key] : undefined), object)
  return typeof value === 'string' ? value : ''
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null
