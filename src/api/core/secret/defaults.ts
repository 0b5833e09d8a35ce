import type { Secret } from './schema.ts'

/** `stringData` is for writing only: it becomes `data`. */
export const setSecretDefaults = ({ stringData, ...secret }: Secret): Secret => ({
  ...secret,
  metadata: secret.metadata ?? {},
  type: secret.type || 'Opaque',
  ...(stringData === undefined ? {} : { data: { ...secret.data, ...encoded(stringData) } }),
})

const encoded = (stringData: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
