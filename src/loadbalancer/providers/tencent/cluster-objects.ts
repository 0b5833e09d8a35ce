import { type Secret, secretKind, type TkeServiceConfig, tkeServiceConfigKind } from '../../../api/index.ts'
import type { Clock, Component, Logger } from '../../../base/index.ts'
import type { Client } from '../../../client/index.ts'
import { createReferencedInformer, type ReferencedInformer } from '../../../informers/index.ts'
import type { ObjectNames, Objects } from './objects.ts'
import type { CertificateLookup } from './plan-input.ts'

export interface ClusterObjects {
  readonly objects: Objects
  readonly components: readonly Component[]
}

/** Secrets and TkeServiceConfigs of a cluster: those that are named, and no others. */
export const clusterObjects = (deps: {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
}): ClusterObjects => {
  const configs = createReferencedInformer({ ...deps, kind: tkeServiceConfigKind })
  const secrets = createReferencedInformer({ ...deps, kind: secretKind })
  const named = new Map<string, ObjectNames>()
  return {
    components: [
      { name: 'tke-service-configs', start: configs.start },
      { name: 'certificate-secrets', start: secrets.start },
    ],
    objects: {
      async follow(key, names, signal) {
        if (names.configs.length + names.secrets.length === 0 && !named.has(key)) return
        if (names.configs.length + names.secrets.length === 0) named.delete(key)
        else named.set(key, names)
        configs.follow(new Set([...named.values()].flatMap((each) => each.configs)))
        secrets.follow(new Set([...named.values()].flatMap((each) => each.secrets)))
        if (names.configs.length > 0) await configs.ready(signal)
        if (names.secrets.length > 0) await secrets.ready(signal)
      },
      config: (name) => find<TkeServiceConfig>(configs, name),
      certificate: (name) => certificateOf(name, find<Secret>(secrets, name), secrets.refusal(name)),
      onChange(handler) {
        const tell = (kind: keyof ObjectNames, name: string): void => {
          for (const [key, names] of named) if (names[kind].includes(name)) handler(key)
        }
        const nameOf = ({ metadata }: Secret | TkeServiceConfig): string => `${metadata.namespace ?? ''}/${metadata.name}`
        const stops = [
          configs.onChange(({ object }) => tell('configs', nameOf(object))),
          secrets.onChange(({ object }) => tell('secrets', nameOf(object))),
        ]
        return () => {
          for (const stop of stops) stop()
        }
      },
    },
  }
}

const find = <T extends Secret | TkeServiceConfig>(informer: ReferencedInformer<T>, name: string): T | undefined => {
  const slash = name.indexOf('/')
  return informer.get(name.slice(0, slash), name.slice(slash + 1))
}

const CERTIFICATE_KEY = 'qcloud_cert_id'

/** Certificates are in the cloud; a Secret has their ids: one, or two of different algorithms. */
const certificateOf = (name: string, secret: Secret | undefined, refusal: string | undefined): CertificateLookup => {
  if (secret === undefined)
    return { problem: refusal === undefined ? `there is no Secret ${name}` : `the Secret ${name} cannot be read: ${refusal}` }
  const text = Buffer.from(secret.data?.[CERTIFICATE_KEY] ?? '', 'base64')
    .toString('utf8')
    .trim()
  const ids = text.split(',').map((id) => id.trim())
  const isWell = ids.length <= 2 && ids.every((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id))
  return isWell ? { ids } : { problem: `the Secret ${name} has no certificate id in its key ${CERTIFICATE_KEY}` }
}
