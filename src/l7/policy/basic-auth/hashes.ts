import { createHash, timingSafeEqual } from 'node:crypto'
import { compareSync } from 'bcryptjs'
import { apr1, type CryptHash, shaCrypt } from './crypt.ts'

/**
 * Whether a password belongs to a stored hash: `$apr1$`, `$2a$`/`$2b$`/`$2y$`, `{SHA}`, `{SSHA}`, `$5$`, `$6$`. False for any other, as nothing
 * can belong to it. Slow by design: runs in a thread of its own.
 */
export const isPasswordOf = (hash: string, password: Buffer): boolean => {
  if (hash.startsWith('{SHA}')) return isShaOf(hash.slice('{SHA}'.length), password)
  if (hash.startsWith('{SSHA}')) return isShaOf(hash.slice('{SSHA}'.length), password)
  if (BCRYPT.test(hash)) return isBcryptOf(hash, password)
  const crypt = readCrypt(hash)
  return crypt !== undefined && isSame(crypt.compute(password), crypt.expected)
}

const SHA1_BYTES = 20

const isShaOf = (encoded: string, password: Buffer): boolean => {
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.length < SHA1_BYTES) return false
  const digest = createHash('sha1').update(password).update(bytes.subarray(SHA1_BYTES)).digest()
  return timingSafeEqual(digest, bytes.subarray(0, SHA1_BYTES))
}

/** A cost above 15 would hold the thread for more than ten seconds a try. */
const BCRYPT = /^\$2[aby]\$(?:0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}$/

const isBcryptOf = (hash: string, password: Buffer): boolean => compareSync(password.toString('utf8'), `$2b$${hash.slice(4)}`)

const CRYPT = /^\$(apr1|5|6)\$(?:rounds=(\d{1,9})\$)?([^$:\n]{0,16})\$([./A-Za-z0-9]{22,86})$/
const DEFAULT_ROUNDS = 5_000
const FEWEST_ROUNDS = 1_000
/** As with bcrypt's cost: more would hold the thread for seconds. */
const MOST_ROUNDS = 1_000_000

const readCrypt = (hash: string): { compute(password: Buffer): string; readonly expected: string } | undefined => {
  const [, kind, rounds, salt = '', expected = ''] = CRYPT.exec(hash) ?? []
  if (kind === undefined || Number(rounds ?? 0) > MOST_ROUNDS) return undefined
  const options: CryptHash = {
    salt: Buffer.from(salt, 'latin1'),
    rounds: Math.max(FEWEST_ROUNDS, Number(rounds ?? DEFAULT_ROUNDS)),
  }
  if (kind === 'apr1') return { compute: (password) => apr1(password, options.salt.subarray(0, 8)), expected }
  return { compute: (password) => shaCrypt(kind === '5' ? 'sha256' : 'sha512', password, options), expected }
}

const isSame = (computed: string, expected: string): boolean =>
  computed.length === expected.length && timingSafeEqual(Buffer.from(computed), Buffer.from(expected))
