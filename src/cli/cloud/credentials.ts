import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { UserError } from '../../base/index.ts'
import type { Credential } from '../../emulator/index.ts'
import { realFiles } from '../../host/index.ts'
import { type GivenFlags, readText } from './settings.ts'

/** Who may call, and where that was found; the key itself is never printed. */
interface FoundCredential {
  readonly credential: Credential
  readonly source: string
}

/** From the flags, a file, the environment, or made anew in `dataDir`, in this order. */
export const findCredential = async (
  given: GivenFlags,
  env: Readonly<Record<string, string | undefined>>,
  dataDir: string,
): Promise<FoundCredential> => {
  const { secretId, secretKey, credentialsFile } = given
  if (typeof secretId === 'string' && typeof secretKey === 'string')
    return { credential: { secretId, secretKey }, source: '--secret-id' }
  if (typeof secretId === 'string' || typeof secretKey === 'string')
    throw new UserError('--secret-id and --secret-key belong together', { exitCode: 2 })
  if (typeof credentialsFile === 'string')
    return {
      credential: parseCredential(await readText('--credentials-file', credentialsFile), credentialsFile),
      source: credentialsFile,
    }
  const { TENCENTCLOUD_SECRET_ID: id, TENCENTCLOUD_SECRET_KEY: key } = env
  if (id && key) return { credential: { secretId: id, secretKey: key }, source: '$TENCENTCLOUD_SECRET_ID' }
  return madeIn(dataDir)
}

const madeIn = async (dataDir: string): Promise<FoundCredential> => {
  const path = join(dataDir, 'credentials.json')
  const text = await realFiles.read(path)
  if (text !== undefined) return { credential: parseCredential(text, path), source: path }
  const credential = { secretId: `AKID${randomBytes(16).toString('hex')}`, secretKey: randomBytes(16).toString('hex') }
  await realFiles.write(path, `${JSON.stringify(credential)}\n`)
  return { credential, source: path }
}

/** The text is not quoted in the error: it is a secret. */
const parseCredential = (text: string, path: string): Credential => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'secretId' in value && 'secretKey' in value) {
      const { secretId, secretKey } = value
      if (typeof secretId === 'string' && typeof secretKey === 'string' && secretId !== '' && secretKey !== '')
        return { secretId, secretKey }
    }
  } catch {
    // Told below, without a piece of the text.
  }
  throw new UserError(`${path}: JSON with the texts secretId and secretKey is expected`, { exitCode: 2 })
}
