import { readFile } from 'node:fs/promises'
import { type Clock, errorMessage, UserError } from '../../base/index.ts'
import type { Credentials, Identity } from './connection.ts'
import { runExecPlugin } from './exec-plugin.ts'

export interface IdentitySource {
  current(): Promise<Identity>
  /** The server refused it: the next one is made anew. False when there is no other. */
  refuse(): boolean
}

const TOKEN_FILE_MS = 60_000
/** Renewed a little before it ends. */
const EARLY_MS = 10_000

/** Keeps what `credentials` yield until it expires; rejects with `UserError` when they yield nothing. */
export const createIdentitySource = (credentials: Credentials, clock: Clock): IdentitySource => {
  switch (credentials.kind) {
    case 'none':
      return constant({})
    case 'token':
      return constant({ authorization: `Bearer ${credentials.token}` })
    case 'basic': {
      const { username, password } = credentials
      return constant({ authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` })
    }
    case 'tokenFile':
      return cached(clock, async () => ({
        identity: { authorization: `Bearer ${await readToken(credentials.path)}` },
        untilMs: clock.now() + TOKEN_FILE_MS,
      }))
    case 'exec':
      return cached(clock, () => runExecPlugin(credentials.plugin))
    default:
      return credentials satisfies never
  }
}

const constant = (identity: Identity): IdentitySource => ({ current: async () => identity, refuse: () => false })

interface Expiring {
  readonly identity: Identity
  /** Undefined: until it is refused. */
  readonly untilMs: number | undefined
}

const cached = (clock: Clock, obtain: () => Promise<Expiring>): IdentitySource => {
  let known: Promise<Expiring> | undefined
  const obtained = (): Promise<Expiring> => {
    const next = obtain()
    known = next
    next.catch(() => {
      if (known === next) known = undefined
    })
    return next
  }
  return {
    async current() {
      const { identity, untilMs } = await (known ?? obtained())
      if (untilMs === undefined || untilMs - EARLY_MS > clock.now()) return identity
      return (await obtained()).identity
    },
    refuse() {
      known = undefined
      return true
    },
  }
}

const readToken = async (path: string): Promise<string> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new UserError(`the token file ${path} can't be read: ${errorMessage(error)}`, { cause: error })
  })
  const token = text.trim()
  if (token === '' || /\s/.test(token)) throw new UserError(`the token file ${path} holds no token`)
  return token
}
