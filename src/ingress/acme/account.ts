import { isAlreadyExists, isConflict, type Secret, secretKind } from '../../api/index.ts'
import { isPrivateKey, newKey } from './keys.ts'
import { accountSecret, ISSUER, labelsOf, ROLE_LABEL } from './names.ts'
import { readSecret, type SecretStore, sharedSecret, textOf } from './secret-store.ts'
import { type Account, AcmeFailure } from './server/index.ts'

const KEY = 'account.key'
const URL_OF_ACCOUNT = 'account.url'

/**
 * The account that all replicas have with a server. Its key is made once: whoever creates the Secret first made it. Rejects with `AcmeFailure` when something else lies there.
 */
export const openAccount = async (store: SecretStore, server: string): Promise<Account> => {
  const secret = await readOrCreate(store, server)
  const key = textOf(secret, KEY)
  const { namespace, name, labels } = secret.metadata
  if (labels?.[ROLE_LABEL] !== labelsOf('account')[ROLE_LABEL] || key === undefined || !isPrivateKey(key))
    throw new AcmeFailure(
      'refused',
      `Secret ${namespace}/${name} holds no key of an ACME account; delete it to get a new account`,
    )
  return { key, url: textOf(secret, URL_OF_ACCOUNT), save: (url) => saveUrl(store, server, url) }
}

const readOrCreate = async (store: SecretStore, server: string): Promise<Secret> => {
  const present = await read(store, server)
  if (present !== undefined) return present
  const { client, place } = store
  const name = accountSecret(place, server)
  const secret = sharedSecret(place, {
    role: 'account',
    name,
    annotations: { [ISSUER]: server },
    texts: { [KEY]: await newKey() },
  })
  try {
    return await client.create(secretKind, secret)
  } catch (error) {
    const others = isAlreadyExists(error) ? await read(store, server) : undefined
    if (others === undefined) throw error
    return others
  }
}

const read = ({ client, place }: SecretStore, server: string): Promise<Secret | undefined> =>
  readSecret(client, { namespace: place.namespace, name: accountSecret(place, server) })

const TRIES = 5

const saveUrl = async (store: SecretStore, server: string, url: string): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    const present = await read(store, server)
    // Without the Secret the next leader would make another key, and with it another account.
    if (present === undefined) throw new AcmeFailure('unreachable', 'the Secret of the ACME account was deleted meanwhile')
    const data = { ...present.data, [URL_OF_ACCOUNT]: Buffer.from(url).toString('base64') }
    try {
      await store.client.update(secretKind, { ...present, data })
      return
    } catch (error) {
      if (!isConflict(error) || attempt === TRIES) throw error
    }
  }
}
