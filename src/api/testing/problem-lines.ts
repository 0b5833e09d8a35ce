import { checkStructure } from '../../schema/index.ts'
import type { Kind, KubeObject, Problem } from '../index.ts'

/** Problems as lines `path: Type detail`, without the pattern that a spelling's sentence ends with. */
export const problemLines = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ path, type, detail }) => `${path}: ${type} ${detail.replace(/ \((e\.g\. |regex).*$/s, '')}`.trim())

/** A body as the API server decodes and defaults it; throws where its structure is wrong. */
export const decoded = <T extends KubeObject>(kind: Kind<T>, body: object): T => {
  const { errors, unknownFields, pruned } = checkStructure(kind.schema, body, { unknownFields: 'report' })
  const wrong = [...errors.map(({ message }) => message), ...unknownFields.map((field) => `unknown field ${field}`)]
  if (wrong.length > 0) throw new Error(wrong.join(', '))
  return kind.setDefaults(pruned as T)
}

/** What is wrong with a body, as lines. */
export const problemsOf = <T extends KubeObject>(kind: Kind<T>, body: object, old?: object): readonly string[] =>
  problemLines(kind.validate(decoded(kind, body), old === undefined ? undefined : decoded(kind, old)))
