import type { Problems } from '../problems.ts'
import { labelValueErrors, qualifiedNameErrors } from './names.ts'

/** All keys and values of one object's annotations together. */
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024

/** Reports keys and values that labels may not have. */
export const validateLabels = (problems: Problems, path: string, labels: Readonly<Record<string, string>> | undefined): void => {
  for (const [key, value] of Object.entries(labels ?? {})) {
    problems.invalidEach(path, key, qualifiedNameErrors(key))
    problems.invalidEach(path, value, labelValueErrors(value))
  }
}

/** Reports keys that annotations may not have, and their size. */
export const validateAnnotations = (
  problems: Problems,
  path: string,
  annotations: Readonly<Record<string, string>> | undefined,
): void => {
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    problems.invalidEach(path, key, qualifiedNameErrors(key.toLowerCase()))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (bytes > ANNOTATIONS_LIMIT_BYTES) problems.tooLong(path, ANNOTATIONS_LIMIT_BYTES)
}
