import type { TLSSocket } from 'node:tls'
import type { UserInfo } from '../../client/index.ts'

/** What authentication needs of a connection. */
export type Connection = Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>

const AUTHENTICATED = 'system:authenticated'

/**
 * Who is at the other end: the common name and organizations of a client certificate of our authority. Undefined for everybody
 * else; TLS has checked the chain, the dates and that the certificate is one for clients.
 */
export const authenticate = (connection: Connection): UserInfo | undefined => {
  const known = users.get(connection)
  if (known !== undefined) return known
  if (!connection.authorized) return undefined
  const user = userOf(connection)
  if (user !== undefined) users.set(connection, user)
  return user
}

/** A connection's certificate does not change. */
const users = new WeakMap<Connection, UserInfo>()

const userOf = (connection: Connection): UserInfo | undefined => {
  // Node leaves the type open: a name that occurs several times is a list.
  const subject: Readonly<Record<string, unknown>> = { ...connection.getPeerCertificate().subject }
  const [name] = strings(subject['CN'])
  if (name === undefined || name === '') return undefined
  return { name, groups: [...strings(subject['O']), AUTHENTICATED] }
}

const strings = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string')
