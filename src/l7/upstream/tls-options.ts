import net from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { BackendTls } from '../table/index.ts'

/** What `tls.connect` needs to speak to pods as a backend wants it. Without `verify` any certificate is well. */
export const tlsOptions = (tls: BackendTls | undefined): ConnectionOptions => {
  const { serverName, ca, clientCertificate, minVersion, maxVersion, ciphers } = tls ?? {}
  const verify = tls?.verify === true && ca !== undefined
  return {
    rejectUnauthorized: verify,
    ...(serverName !== undefined && net.isIP(serverName) === 0 ? { servername: serverName } : {}),
    // Pods are dialled by address: without a name to expect, the chain alone counts.
    ...(verify && serverName === undefined ? { checkServerIdentity: () => undefined } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.chain, key: clientCertificate.key }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(ciphers === undefined ? {} : { ciphers }),
  }
}
