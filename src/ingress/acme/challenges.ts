import type { Secret } from '../../api/index.ts'
import { textOf } from './secret-store.ts'

/** Challenges that await the server: token → key authorization. */
export type Answers = ReadonlyMap<string, string>

const TOKEN = /^[A-Za-z0-9_-]{16,256}$/

/** A token becomes the name of an entry, and the end of a path. */
export const isToken = (text: string): boolean => TOKEN.test(text)

/** What the Secret of challenges says; entries that are no challenges are left out. */
export const answersOf = (secret: Secret | undefined): Answers => {
  const answers = new Map<string, string>()
  if (secret === undefined) return answers
  for (const token of Object.keys(secret.data ?? {})) {
    const answer = textOf(secret, token)
    // RFC 8555 section 8.1: the token, a dot and the thumbprint of the account's key.
    if (isToken(token) && answer !== undefined && /^[A-Za-z0-9_.-]+$/.test(answer) && answer.startsWith(`${token}.`))
      answers.set(token, answer)
  }
  return answers
}

/** The change of the engine's table that makes `wanted` out of `served`; undefined when there is none. */
export const answersDelta = (served: Answers, wanted: Answers): ReadonlyMap<string, string | null> | undefined => {
  const delta = new Map<string, string | null>()
  for (const [token, answer] of wanted) if (served.get(token) !== answer) delta.set(token, answer)
  for (const token of served.keys()) if (!wanted.has(token)) delta.set(token, null)
  return delta.size === 0 ? undefined : delta
}
