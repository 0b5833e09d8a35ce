import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { errorMessage, UserError } from '../../base/index.ts'
import type { AcmeOptions, AcmeServerSettings } from '../../ingress/index.ts'
import type { AcmeSettings } from './settings.ts'

/** The ACME server with the authorities of `--acme-ca`; rejects with `UserError` when the file holds none. */
export const readAcmeServer = async ({ server, email, caFile }: AcmeSettings): Promise<AcmeServerSettings> => {
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

/** Where the replicas of one election keep what they share. */
export const acmePlace = (
  { namespace }: AcmeSettings,
  lease: { readonly namespace: string; readonly name: string },
): AcmeOptions['place'] => ({ namespace: namespace ?? lease.namespace, instance: lease.name })
