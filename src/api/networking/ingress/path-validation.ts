import type { Problems } from '../../problems.ts'
import { validateIngressBackend } from './backend-validation.ts'
import type { HTTPIngressPath } from './schema.ts'

/** What could lead around a rule when one side reads it as another path. */
const INVALID_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F']
const INVALID_ENDINGS = ['/..', '/.']

/** Reports what is wrong with one path of a rule. */
export const validateIngressPath = (
  problems: Problems,
  path: string,
  { path: value = '', pathType, backend }: HTTPIngressPath,
): void => {
  const type: string | undefined = pathType
  if (type === undefined || type === '') problems.required(`${path}.pathType`, 'pathType must be specified')
  else if (type === 'Exact' || type === 'Prefix') validateLiteralPath(problems, `${path}.path`, value)
  else if (type !== 'ImplementationSpecific') {
    problems.notSupported(`${path}.pathType`, type, ['Exact', 'ImplementationSpecific', 'Prefix'])
  } else if (value !== '' && !value.startsWith('/')) problems.invalid(`${path}.path`, value, 'must be an absolute path')
  validateIngressBackend(problems, `${path}.backend`, backend)
}

const validateLiteralPath = (problems: Problems, path: string, value: string): void => {
  if (!value.startsWith('/')) problems.invalid(path, value, 'must be an absolute path')
  for (const sequence of INVALID_SEQUENCES) {
    if (value.includes(sequence)) problems.invalid(path, value, `must not contain '${sequence}'`)
  }
  for (const ending of INVALID_ENDINGS) {
    if (value.endsWith(ending)) problems.invalid(path, value, `cannot end with '${ending}'`)
  }
}
