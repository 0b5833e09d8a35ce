import { createHmac, randomBytes } from 'node:crypto'
import type { BasicAuth } from '../../table/index.ts'
import { clientKey } from '../client-address.ts'
import type { Answer, RequestView } from '../contract.ts'
import { refusal } from '../own-answers.ts'
import { fieldValue } from '../template.ts'
import { type Credentials, readCredentials } from './credentials.ts'
import type { Hasher, Judgement } from './hasher.ts'

/** Undefined: authenticated. */
export type Authenticate = (request: RequestView, done: (refusal: Answer | undefined) => void) => () => void

const MOST_REMEMBERED = 4_096
const nothingToCancel = (): void => {}

/**
 * Passwords that were right are remembered, as a keyed hash, while this policy lives; a change of the users makes another policy. A user that
 * is unknown costs what a known one costs. Several requests with the same credentials wait for one check.
 */
export const compileBasicAuth = (auth: BasicAuth, hasher: Hasher): Authenticate => {
  const hashes = [...auth.users.values()]
  const key = randomBytes(32)
  const remembered = new Set<string>()
  const checks = new Map<string, SharedCheck>()
  const challenge = refusal(401, 'authentication-required', `WWW-Authenticate: Basic realm="${quoted(auth.realm)}"\r\n`)
  const answerOf = { right: undefined, wrong: challenge, broken: refusal(500, 'authentication-failed', '') }

  const begin = (id: string, { user, password }: Credentials, client: string): SharedCheck | undefined => {
    const known = auth.users.get(user)
    const hash = known ?? decoy(hashes, createHmac('sha256', key).update(user).digest())
    const shared: SharedCheck = { waiters: new Set(), cancel: nothingToCancel }
    const finish = (judgement: Judgement): void => {
      checks.delete(id)
      const judged = known === undefined && judgement === 'right' ? 'wrong' : judgement
      if (judged === 'right') remember(remembered, id)
      for (const waiter of shared.waiters) waiter(answerOf[judged])
    }
    const cancel = hasher.check({ hash, password, client, done: finish })
    if (cancel === undefined) return undefined
    shared.cancel = cancel
    checks.set(id, shared)
    return shared
  }

  return (request, done) => {
    const credentials = readCredentials(request.field('authorization'))
    if (credentials === undefined || hashes.length === 0) {
      done(challenge)
      return nothingToCancel
    }
    const id = identity(key, credentials)
    if (remembered.has(id)) {
      done(undefined)
      return nothingToCancel
    }
    const shared = checks.get(id) ?? begin(id, credentials, clientKey(request.clientAddress))
    if (shared === undefined) {
      done(busy)
      return nothingToCancel
    }
    return join(shared, done, () => checks.delete(id))
  }
}

interface SharedCheck {
  readonly waiters: Set<(refusal: Answer | undefined) => void>
  cancel: () => void
}

/** The check goes on while one of its requests still waits. */
const join = (shared: SharedCheck, done: (refusal: Answer | undefined) => void, forget: () => void): (() => void) => {
  const waiter = (answer: Answer | undefined): void => done(answer)
  shared.waiters.add(waiter)
  return () => {
    if (!shared.waiters.delete(waiter) || shared.waiters.size > 0) return
    shared.cancel()
    forget()
  }
}

const identity = (key: Buffer, { user, password }: Credentials): string =>
  createHmac('sha256', key).update(user).update('\0').update(password).digest('base64')

const remember = (remembered: Set<string>, id: string): void => {
  if (remembered.size >= MOST_REMEMBERED) {
    const [oldest] = remembered
    if (oldest !== undefined) remembered.delete(oldest)
  }
  remembered.add(id)
}

/** A stranger is compared with the hash of a user that his name picks, always the same: his time tells nothing. */
const decoy = (hashes: readonly string[], digest: Buffer): string => hashes[digest.readUInt32BE(0) % hashes.length] ?? ''

const quoted = (realm: string): string => fieldValue(realm).replace(/["\\]/g, '\\$&')

const busy = refusal(503, 'authentication-busy', 'Retry-After: 1\r\n')
