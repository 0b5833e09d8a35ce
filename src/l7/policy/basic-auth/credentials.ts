export interface Credentials {
  readonly user: string
  /** The password's bytes, as sent. */
  readonly password: Buffer
}

const LONGEST = 4_096
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** What an Authorization field of the Basic scheme says (RFC 7617); undefined when it is anything else. */
export const readCredentials = (authorization: string | undefined): Credentials | undefined => {
  if (authorization === undefined || authorization.length > LONGEST) return undefined
  if (authorization.slice(0, 6).toLowerCase() !== 'basic ') return undefined
  const encoded = authorization.slice(6).trim()
  if (encoded === '' || !BASE64.test(encoded)) return undefined
  const bytes = Buffer.from(encoded, 'base64')
  const colon = bytes.indexOf(COLON)
  if (colon < 1 || bytes.includes(0)) return undefined
  return { user: bytes.toString('utf8', 0, colon), password: bytes.subarray(colon + 1) }
}

const COLON = 0x3a
