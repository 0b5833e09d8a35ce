import type { Problem } from '../../kind.ts'
import { configKeyErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import { base64Bytes, MAX_DATA_BYTES } from '../data-size.ts'
import type { ConfigMap } from './schema.ts'

/** All problems of a ConfigMap: its keys, its size, and changes to one that said it would not change. */
export const validateConfigMap = (configMap: ConfigMap, old?: ConfigMap): readonly Problem[] => {
  const problems = new Problems()
  const { data = {}, binaryData = {} } = configMap
  let bytes = 0
  for (const [key, value] of Object.entries(data)) {
    problems.invalidEach(`data[${key}]`, key, configKeyErrors(key))
    if (Object.hasOwn(binaryData, key)) problems.invalid(`data[${key}]`, key, `duplicate of key present in binaryData`)
    bytes += Buffer.byteLength(value)
  }
  for (const [key, value] of Object.entries(binaryData)) {
    problems.invalidEach(`binaryData[${key}]`, key, configKeyErrors(key))
    bytes += base64Bytes(value)
  }
  if (bytes > MAX_DATA_BYTES) problems.tooLong('', MAX_DATA_BYTES)
  if (old?.immutable === true) validateImmutable(problems, configMap, old)
  return problems.list
}

const validateImmutable = (problems: Problems, configMap: ConfigMap, old: ConfigMap): void => {
  if (configMap.immutable !== true) problems.forbidden('immutable', 'field is immutable when `immutable` is set')
  for (const field of ['data', 'binaryData'] as const) {
    if (!sameValue(configMap[field], old[field])) problems.forbidden(field, 'field is immutable when `immutable` is set')
  }
}
