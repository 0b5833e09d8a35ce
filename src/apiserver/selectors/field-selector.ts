import { badRequest, type Kind, type KubeObject } from '../../api/index.ts'

/** One condition on a field: equal to the value, or not. */
export interface FieldRequirement {
  readonly path: string
  readonly isEqual: boolean
  readonly value: string
}

/**
 * Reads a field selector as it stands in `?fieldSelector=`, such as `metadata.name=web,spec.type!=NodePort`;
 * `\`, `,` and `=` in values are escaped with `\`. Throws a BadRequest ApiError.
 */
export const parseFieldSelector = (text: string): readonly FieldRequirement[] =>
  splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => parseTerm(term, text))

/** A test for objects of a kind; throws a BadRequest ApiError for a field that the kind doesn't offer. */
export const fieldMatcher = <T extends KubeObject>(
  kind: Pick<Kind<T>, 'namespaced' | 'selectableFields'>,
  requirements: readonly FieldRequirement[],
): ((object: T) => boolean) => {
  const tests = requirements.map(({ path, isEqual, value }) => {
    const read = fieldReader(kind, path)
    return (object: T): boolean => (read(object) === value) === isEqual
  })
  return (object) => tests.every((test) => test(object))
}

/** The value that the field must have, if the requirements fix it: `metadata.name=web` allows one read in place of a scan. */
export const exactField = (requirements: readonly FieldRequirement[], path: string): string | undefined =>
  requirements.find((requirement) => requirement.isEqual && requirement.path === path)?.value

const fieldReader = <T extends KubeObject>(
  kind: Pick<Kind<T>, 'namespaced' | 'selectableFields'>,
  path: string,
): ((object: T) => string) => {
  if (path === 'metadata.name') return (object) => object.metadata.name
  if (path === 'metadata.namespace' && kind.namespaced) return (object) => object.metadata.namespace ?? ''
  const field = kind.selectableFields.find((candidate) => candidate.path === path)
  if (field === undefined) throw badRequest(`field label not supported: ${path.slice(0, 100)}`)
  return field.read
}

const splitTerms = (text: string): readonly string[] => {
  const terms: string[] = []
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === ',') {
      terms.push(text.slice(start, at))
      start = at + 1
    }
  }
  terms.push(text.slice(start))
  return terms
}

const parseTerm = (term: string, whole: string): FieldRequirement => {
  for (let at = 0; at < term.length; at++) {
    if (term[at] === '\\') {
      at++
      continue
    }
    const operator = ['!=', '==', '='].find((candidate) => term.startsWith(candidate, at))
    if (operator === undefined) continue
    return { path: term.slice(0, at), isEqual: operator !== '!=', value: unescaped(term.slice(at + operator.length)) }
  }
  throw badRequest(`invalid selector: '${whole.slice(0, 200)}'; can't understand '${term.slice(0, 200)}'`)
}

const unescaped = (value: string): string => {
  if (!/[\\=]/.test(value)) return value
  let text = ''
  for (let at = 0; at < value.length; at++) {
    const character = value.charAt(at)
    if (character === '=') throw badRequest(`invalid field selector: unescaped character in value: '='`)
    if (character !== '\\') {
      text += character
      continue
    }
    at++
    const escaped = value.charAt(at)
    if (escaped === '' || !'\\,='.includes(escaped))
      throw badRequest(`invalid field selector: invalid escape sequence: \\${escaped}`)
    text += escaped
  }
  return text
}
