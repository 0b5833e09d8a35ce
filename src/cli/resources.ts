import { type Kind, scheme } from '../api/index.ts'
import { UserError } from '../base/index.ts'

/** The kinds that `svc`, `services`, `Service`, `svc,ep` or the category `all` mean; the first served version of each. */
export const kindsNamed = (text: string): readonly Kind[] => {
  const kinds = text.split(',').flatMap((word) => {
    const found = kindsOfWord(word.toLowerCase())
    if (found.length === 0) throw new UserError(`the server doesn't have a resource type "${word}"; it has ${served()}`)
    return found
  })
  return [...new Set(kinds)]
}

const served = (): string => [...new Set(scheme.map(({ plural }) => plural))].join(', ')

/** A kind, and which of its objects; all of them when no name is given. */
export interface ResourceTarget {
  readonly kind: Kind
  readonly names: readonly string[]
}

/** What `svc`, `svc web api`, `svc,ep web` or `svc/web ing/shop` mean; throws `UserError` for anything else. */
export const targetsNamed = (resource: string, names: readonly string[]): readonly ResourceTarget[] => {
  const words = [resource, ...names]
  if (!words.some((word) => word.includes('/'))) return kindsNamed(resource).map((kind) => ({ kind, names }))
  return words.flatMap((word) => {
    const [type = '', name = '', ...rest] = word.split('/')
    if (type === '' || name === '' || rest.length > 0) {
      throw new UserError(`"${word}" is not TYPE/NAME; give TYPE NAME..., or TYPE/NAME for every object`, { exitCode: 2 })
    }
    return kindsNamed(type).map((kind) => ({ kind, names: [name] }))
  })
}

const kindsOfWord = (word: string): readonly Kind[] => {
  const category = scheme.filter((kind) => kind.categories.includes(word) && kind.conversion === undefined)
  if (category.length > 0) return category
  const named = scheme.find((kind) => namesOf(kind).includes(word))
  return named ? [named] : []
}

/** `deploy`, `deploy.apps`, `deploy.v1.apps`; of the core group `svc.v1`, with or without a dot at the end. */
const namesOf = (kind: Kind): readonly string[] => {
  const { group, version } = kind
  const suffixes = group === '' ? ['', `.${version}`, `.${version}.`] : ['', `.${group}`, `.${version}.${group}`]
  const words = [kind.plural, kind.singular, kind.kind.toLowerCase(), ...kind.shortNames]
  return words.flatMap((word) => suffixes.map((suffix) => word + suffix))
}
