import { type Secret, secretKind } from '../../../api/index.ts'
import type { Strategy } from '../strategy.ts'

/** `stringData` is for writing only: it becomes part of `data`. */
const withData = (object: Secret): Secret => {
  const { stringData, ...rest } = object
  if (stringData === undefined) return object
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text, 'utf8').toString('base64')])
  return { ...rest, data: { ...object.data, ...Object.fromEntries(encoded) } }
}

export const secretStrategy: Strategy<Secret> = {
  kind: secretKind,
  prepareForCreate: withData,
  prepareForUpdate: (object, old) => withData({ ...object, type: object.type || old.type }),
}
