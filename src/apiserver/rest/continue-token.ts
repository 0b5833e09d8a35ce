import { badRequest } from '../../api/index.ts'
import { isRecord } from './decode.ts'

/** Where the next page of a list begins, and the revision that all pages show; -1 for the latest. */
export interface ContinueToken {
  readonly revision: number
  /** The last key of the page before, without the list's prefix. */
  readonly startAfter: string
}

const VERSION = 'meta.k8s.io/v1'

export const encodeContinue = ({ revision, startAfter }: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start: startAfter }), 'utf8').toString('base64url')

/** Throws `BadRequest` for what is not such a token. */
export const decodeContinue = (text: string): ContinueToken => {
  const value = parse(text)
  if (!isRecord(value)) throw badRequest('continue key is not valid: the token is not one of this server')
  const { v, rv, start } = value
  if (v !== VERSION)
    throw badRequest(`continue key is not valid: server does not recognize this encoded version ${JSON.stringify(v)}`)
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv < -1 || rv === 0) {
    throw badRequest('continue key is not valid: incorrect encoded start resourceVersion')
  }
  if (typeof start !== 'string' || start === '' || start.length > 1024) {
    throw badRequest('continue key is not valid: incorrect encoded start key')
  }
  return { revision: rv, startAfter: start }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}
