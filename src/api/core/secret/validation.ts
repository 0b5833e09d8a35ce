import type { Problem } from '../../kind.ts'
import { configKeyErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import { base64Bytes, MAX_DATA_BYTES } from '../data-size.ts'
import type { Secret } from './schema.ts'

/** The keys without which a Secret of a type is of no use. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
}

const JSON_KEYS = ['.dockercfg', '.dockerconfigjson']

/** All problems of a Secret; no value is ever part of one. */
export const validateSecret = (secret: Secret, old?: Secret): readonly Problem[] => {
  const problems = new Problems()
  const data = secret.data ?? {}
  let bytes = 0
  for (const [key, value] of Object.entries(data)) {
    problems.invalidEach(`data[${key}]`, key, configKeyErrors(key))
    bytes += base64Bytes(value)
  }
  if (bytes > MAX_DATA_BYTES) problems.tooLong('data', MAX_DATA_BYTES)
  validateType(problems, secret, data)
  if (old !== undefined) validateUpdate(problems, secret, old)
  return problems.list
}

const validateType = (problems: Problems, { type = '', metadata }: Secret, data: Readonly<Record<string, string>>): void => {
  const required = Object.hasOwn(REQUIRED_KEYS, type) ? (REQUIRED_KEYS[type] ?? []) : []
  for (const key of required) {
    if (!Object.hasOwn(data, key)) problems.required(`data[${key}]`)
    else if (JSON_KEYS.includes(key) && !isJSON(data[key] ?? '')) {
      problems.invalid(`data[${key}]`, '<secret contents redacted>', 'the content is not JSON')
    }
  }
  if (type === 'kubernetes.io/basic-auth' && !Object.hasOwn(data, 'username') && !Object.hasOwn(data, 'password')) {
    problems.required('data[username]')
    problems.required('data[password]')
  }
  const accountKey = 'kubernetes.io/service-account.name'
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.[accountKey]) {
    problems.required(`metadata.annotations[${accountKey}]`)
  }
}

const isJSON = (base64: string): boolean => {
  try {
    JSON.parse(Buffer.from(base64, 'base64').toString())
    return true
  } catch {
    return false
  }
}

const validateUpdate = (problems: Problems, secret: Secret, old: Secret): void => {
  if (secret.type !== old.type) problems.invalid('type', secret.type ?? '', 'field is immutable')
  if (old.immutable !== true) return
  if (secret.immutable !== true) problems.forbidden('immutable', 'field is immutable when `immutable` is set')
  if (!sameValue(secret.data, old.data)) problems.forbidden('data', 'field is immutable when `immutable` is set')
}
