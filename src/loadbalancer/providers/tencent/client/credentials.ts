import { inspect } from 'node:util'

/** What signs requests; prints and serialises as nothing. Only `secretsOf` tells what is in it. */
export interface Credentials {
  readonly kind: 'tencent-credentials'
}

export interface Secrets {
  readonly secretId: string
  readonly secretKey: string
  /** Of temporary credentials. */
  readonly token?: string
}

const known = new WeakMap<Credentials, Secrets>()

export const createCredentials = (secrets: Secrets): Credentials => {
  const credentials: Credentials = Object.defineProperty({ kind: 'tencent-credentials' } as const, inspect.custom, {
    value: () => '[credentials]',
    enumerable: false,
  })
  known.set(credentials, secrets)
  return credentials
}

export const secretsOf = (credentials: Credentials): Secrets => {
  const secrets = known.get(credentials)
  if (secrets === undefined) throw new Error('credentials that createCredentials did not make')
  return secrets
}

/** The text without anything of the credentials. */
export const redact = (text: string, credentials: Credentials): string => {
  const { secretId, secretKey, token } = secretsOf(credentials)
  const hidden = [secretKey, secretId, ...(token === undefined ? [] : [token])].filter((secret) => secret !== '')
  return hidden.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text)
}
