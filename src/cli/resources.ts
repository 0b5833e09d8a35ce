import { type Kind, scheme } from '../api/index.ts'
import { UserError } from '../base/index.ts'

/** The kinds that `svc`, `services`, `Service`, `svc,ep` or the category `all` mean; the first served version of each. */
export const kindsNamed = (text: string): readonly Kind[] => {
  const kinds = text.split(',').flatMap((word) => {
    const found = kindsOfWord(word.toLowerCase())
    if (found.length === 0) throw new UserError(`the server doesn't have a resource type "${word}"`)
    return found
  })
  return [...new Set(kinds)]
}

const kindsOfWord = (word: string): readonly Kind[] => {
  const category = scheme.filter((kind) => kind.categories.includes(word) && kind.conversion === undefined)
  if (category.length > 0) return category
  const named = scheme.find((kind) => namesOf(kind).includes(word))
  return named ? [named] : []
}

const namesOf = (kind: Kind): readonly string[] => [
  kind.plural,
  kind.singular,
  kind.kind.toLowerCase(),
  ...kind.shortNames,
  `${kind.plural}.${kind.group}`,
]
