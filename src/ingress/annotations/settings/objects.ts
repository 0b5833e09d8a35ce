import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { ConfigMap, Secret } from '../../../api/index.ts'

/** The objects that annotations refer to; keys are `namespace/name`. */
export interface ObjectSources {
  secret(key: string): Secret | undefined
  /** Undefined also when nobody reads ConfigMaps. */
  configMap?(key: string): ConfigMap | undefined
}

export type ReadObject<T> = { readonly value: T } | { readonly problem: string }

/** A Secret's data, decoded. */
export const secretData = (key: string, sources: ObjectSources): ReadObject<ReadonlyMap<string, string>> => {
  const secret = sources.secret(key)
  if (secret === undefined) return { problem: `Secret ${key} does not exist, or may not be read` }
  return { value: new Map(Object.entries(secret.data ?? {}).map(([name, value]) => [name, decoded(value)])) }
}

const decoded = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('latin1')

export const configMapData = (key: string, sources: ObjectSources): ReadObject<Readonly<Record<string, string>>> => {
  const configMap = sources.configMap?.(key)
  return configMap === undefined
    ? { problem: `ConfigMap ${key} does not exist, or may not be read` }
    : { value: configMap.data ?? {} }
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** The certificates of `ca.crt`, each of them readable. */
export const authorities = (key: string, sources: ObjectSources): ReadObject<string> => {
  const data = secretData(key, sources)
  if ('problem' in data) return data
  const blocks = data.value.get('ca.crt')?.match(BLOCK) ?? []
  if (blocks.length === 0) return { problem: `Secret ${key} has no certificate in ca.crt` }
  try {
    for (const block of blocks) new X509Certificate(block)
    return { value: `${blocks.join('\n')}\n` }
  } catch {
    return { problem: `Secret ${key}: ca.crt holds what is no certificate` }
  }
}

/** The pair `tls.crt` and `tls.key`, when the Secret has one. */
export const clientPair = (
  key: string,
  sources: ObjectSources,
): ReadObject<{ readonly chain: string; readonly key: string } | undefined> => {
  const data = secretData(key, sources)
  if ('problem' in data) return data
  const chain = data.value.get('tls.crt')
  const privateKey = data.value.get('tls.key')
  if (!chain && !privateKey) return { value: undefined }
  const isPair = chain !== undefined && privateKey !== undefined && belongTogether(chain, privateKey)
  return isPair ? { value: { chain, key: privateKey } } : { problem: `Secret ${key}: tls.crt and tls.key are no pair` }
}

const belongTogether = (chain: string, key: string): boolean => {
  try {
    return new X509Certificate(chain).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}
