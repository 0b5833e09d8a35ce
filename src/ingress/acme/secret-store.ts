import { isNotFound, type Secret, secretKind } from '../../api/index.ts'
import type { Client } from '../../client/index.ts'
import { INSTANCE_LABEL, labelsOf, type Place, type Role } from './names.ts'

/** What this folder needs of the API. */
export type SecretClient = Pick<Client, 'get' | 'list' | 'create' | 'update' | 'delete'>

/** The Secrets that replicas share. */
export interface SecretStore {
  readonly client: SecretClient
  readonly place: Place
}

export interface SharedSecret {
  readonly role: Exclude<Role, 'certificate'>
  readonly name: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly texts: Readonly<Record<string, string>>
}

export const sharedSecret = ({ namespace, instance }: Place, { role, name, annotations = {}, texts }: SharedSecret): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name, labels: { ...labelsOf(role), [INSTANCE_LABEL]: instance }, annotations },
  type: 'Opaque',
  data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
})

export const readSecret = async (
  client: Pick<SecretClient, 'get'>,
  ref: { readonly namespace: string; readonly name: string },
): Promise<Secret | undefined> => {
  try {
    return await client.get(secretKind, ref)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** A value as text; undefined when there is none. */
export const textOf = ({ data }: Secret, key: string): string | undefined => {
  const value = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8')
}
