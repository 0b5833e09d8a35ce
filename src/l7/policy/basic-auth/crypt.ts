import { hash } from 'node:crypto'

export interface CryptHash {
  readonly salt: Buffer
  readonly rounds: number
}

/** The digest part of `$5$` and `$6$` (Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6; letters are its variables). */
export const shaCrypt = (algorithm: 'sha256' | 'sha512', password: Buffer, { salt, rounds }: CryptHash): string => {
  const digest = (...parts: readonly Uint8Array[]): Buffer => digestOf(algorithm, parts)
  const b = digest(password, salt, password)
  const a = digest(password, salt, stretched(b, password.length), ...byBits(password.length, b, password))
  const p = stretched(digest(...new Array<Buffer>(password.length).fill(password)), password.length)
  const s = stretched(digest(...new Array<Buffer>(16 + (a[0] as number)).fill(salt)), salt.length)
  let c = a
  for (let round = 0; round < rounds; round++) {
    const isOdd = round % 2 === 1
    const parts: Buffer[] = [isOdd ? p : c]
    if (round % 3 !== 0) parts.push(s)
    if (round % 7 !== 0) parts.push(p)
    parts.push(isOdd ? c : p)
    c = digest(...parts)
  }
  return algorithm === 'sha256' ? encodeSha256(c) : encodeSha512(c)
}

const APR1_ROUNDS = 1_000
const EMPTY = Buffer.alloc(0)
const NUL = Buffer.alloc(1)

/** The digest part of `$apr1$`: Apache's variant of Poul-Henning Kamp's MD5 crypt. */
export const apr1 = (password: Buffer, salt: Buffer): string => {
  const md5 = (...parts: readonly Uint8Array[]): Buffer => digestOf('md5', parts)
  const inner = md5(password, salt, password)
  const first = password.subarray(0, 1)
  let digest = md5(
    password,
    Buffer.from('$apr1$'),
    salt,
    stretched(inner, password.length),
    ...byBits(password.length, NUL, first),
  )
  for (let round = 0; round < APR1_ROUNDS; round++) {
    const isOdd = round % 2 === 1
    digest = md5(
      isOdd ? password : digest,
      round % 3 === 0 ? EMPTY : salt,
      round % 7 === 0 ? EMPTY : password,
      isOdd ? digest : password,
    )
  }
  return encodeMd5(digest)
}

const digestOf = (algorithm: string, parts: readonly Uint8Array[]): Buffer => hash(algorithm, Buffer.concat(parts), 'buffer')

/** `bytes` again and again, up to `length`. */
const stretched = (bytes: Buffer, length: number): Buffer => (length === 0 ? EMPTY : Buffer.alloc(length, bytes))

/** For each bit of `length`, the lowest first: `one` or `zero`. */
const byBits = (length: number, one: Buffer, zero: Buffer): readonly Buffer[] => {
  const parts: Buffer[] = []
  for (let left = length; left > 0; left >>>= 1) parts.push(left & 1 ? one : zero)
  return parts
}

const LETTERS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** crypt's base 64: three bytes as four letters, the lowest six bits first. */
const letters = (high: number, middle: number, low: number, count: number): string => {
  let value = (high << 16) | (middle << 8) | low
  let text = ''
  for (let i = 0; i < count; i++, value >>>= 6) text += LETTERS[value & 63]
  return text
}

const at = (digest: Buffer, index: number): number => digest[index] as number

const encodeSha512 = (digest: Buffer): string => {
  let text = ''
  for (let i = 0, [a, b, c] = [0, 21, 42]; i < 21; i++, [a, b, c] = [b + 1, c + 1, a + 1])
    text += letters(at(digest, a), at(digest, b), at(digest, c), 4)
  return text + letters(0, 0, at(digest, 63), 2)
}

const encodeSha256 = (digest: Buffer): string => {
  let text = ''
  for (let i = 0, [a, b, c] = [0, 10, 20]; i < 10; i++, [a, b, c] = [c + 1, a + 1, b + 1])
    text += letters(at(digest, a), at(digest, b), at(digest, c), 4)
  return text + letters(0, at(digest, 31), at(digest, 30), 3)
}

const encodeMd5 = (digest: Buffer): string => {
  let text = ''
  for (let i = 0; i < 5; i++) text += letters(at(digest, i), at(digest, i + 6), at(digest, i === 4 ? 5 : i + 12), 4)
  return text + letters(0, 0, at(digest, 11), 2)
}
