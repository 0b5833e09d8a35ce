import type { BackendTls } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { hostName, reference } from '../grammar/names.ts'
import { is, isNot, type Parser } from '../grammar/reading.ts'
import { integer, onOff } from '../grammar/scalars.ts'

type Version = NonNullable<BackendTls['minVersion']>
const VERSIONS = ['SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

/** Names of TLS versions; what is older than 1.2 is left out. */
const protocols: Parser<readonly Version[]> = (text) => {
  const words = text.split(/ +/)
  if (!words.every((word) => VERSIONS.includes(word))) return isNot(`some of ${VERSIONS.join(' ')}`)
  const kept = (['TLSv1.2', 'TLSv1.3'] as const).filter((version) => words.includes(version))
  return kept.length > 0 ? is(kept) : isNot('TLSv1.2 or TLSv1.3 among others')
}

/** An OpenSSL cipher list without its commands (`@STRENGTH` aside) and without white space. */
export const ciphers: Parser<string> = (text) =>
  /^[A-Za-z0-9!+:@_=-]{1,1024}$/.test(text) ? is(text) : isNot('an OpenSSL cipher list')

export const backendTlsAnnotations = {
  'proxy-ssl-secret': differs(
    reference,
    'a Secret of another namespace is refused; when it cannot be read the pods are not asked (503)',
  ),
  'proxy-ssl-verify': honoured(onOff),
  'proxy-ssl-name': honoured(hostName),
  'proxy-ssl-server-name': honoured(onOff),
  'proxy-ssl-ciphers': honoured(ciphers),
  'proxy-ssl-protocols': differs(protocols, 'TLS 1.2 and 1.3 only'),
  'proxy-ssl-verify-depth': honoured(integer(0, 20)),
  'connection-proxy-header': noEffect(
    (text) => (/^[A-Za-z-]{1,32}$/.test(text) ? is(text) : isNot('keep-alive, close or Upgrade')),
    'connections to pods are the engine’s own matter',
  ),
} as const

/** What of TLS to pods does not need the Secret. */
export interface BackendTlsSettings {
  readonly secret?: { readonly namespace: string | undefined; readonly name: string }
  readonly tls: BackendTls
}

type Values = ValuesOf<typeof backendTlsAnnotations>

export const backendTls = (values: Values): BackendTlsSettings | undefined => {
  const secret = values['proxy-ssl-secret']
  const verify = values['proxy-ssl-verify'] ?? false
  const sendsName = values['proxy-ssl-server-name'] ?? false
  const name = values['proxy-ssl-name']
  const versions = values['proxy-ssl-protocols']
  const list = values['proxy-ssl-ciphers']
  const verifyDepth = values['proxy-ssl-verify-depth']
  if (secret === undefined && !verify && !sendsName && name === undefined && versions === undefined && list === undefined)
    return undefined
  const [minVersion, maxVersion] = [versions?.at(0), versions?.at(-1)]
  return {
    ...(secret && { secret }),
    tls: {
      ...(name && (sendsName || verify) && { serverName: name }),
      verify,
      ...(verify && verifyDepth !== undefined && { verifyDepth }),
      ...(minVersion && { minVersion }),
      ...(maxVersion && { maxVersion }),
      ...(list && { ciphers: list }),
    },
  }
}
