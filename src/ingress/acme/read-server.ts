import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { errorMessage, UserError } from '../../base/index.ts'
import type { ServerSettings } from './term.ts'

/** What somebody typed about an ACME server. */
export interface ServerFlags {
  readonly server: string
  readonly email: string | undefined
  readonly caFile: string | undefined
}

/** The server with the authorities of `--acme-ca`; rejects with `UserError` when the file holds none. */
export const readAcmeServer = async ({ server, email, caFile }: ServerFlags): Promise<ServerSettings> => {
  const known = { url: server, ...(email === undefined ? {} : { email }) }
  if (caFile === undefined) return known
  try {
    const ca = await readFile(caFile, 'utf8')
    new X509Certificate(ca)
    return { ...known, ca }
  } catch (error) {
    throw new UserError(`--acme-ca ${caFile}: no certificate could be read (${errorMessage(error)}); name a PEM file`, {
      cause: error,
    })
  }
}
