import type { ConfigMap, Ingress, Secret } from '../../../api/index.ts'
import { ingress } from '../../../api/testing/index.ts'
import type { RoutePolicy } from '../../../l7/table/index.ts'
import { readDefaults } from '../settings/defaults.ts'
import { annotationsOf, type IngressSettings, ingressSettings } from '../settings/ingress-settings.ts'
import { routePolicy } from '../settings/route-policy.ts'

/** An Ingress `w` for `a.io/`, annotated with names that have no prefix: `fairway.dev/x` is written out. */
export const annotated = (annotations: Readonly<Record<string, string>>): Ingress =>
  ingress('w')
    .host('a.io', { '/': 'web:80' })
    .metadata({
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([name, value]) => [
          name.includes('/') ? name : `nginx.ingress.kubernetes.io/${name}`,
          value,
        ]),
      ),
    })
    .build()

export interface TestObjects {
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly configMaps?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly defaults?: Readonly<Record<string, string>>
  readonly isNginx?: boolean
}

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')

const secretOf = (name: string, data: Readonly<Record<string, string>>): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
})

const configMapOf = (name: string, data: Readonly<Record<string, string>>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
})

/** The settings that annotations come to; objects by name, in the namespace `default`. */
export const settingsFor = (
  annotations: Readonly<Record<string, string>>,
  { secrets = {}, configMaps = {}, defaults = {}, isNginx = false }: TestObjects = {},
): IngressSettings => {
  const find = <T>(objects: Readonly<Record<string, T>>, key: string): readonly [string, T] | undefined => {
    const name = key.replace(/^default\//, '')
    const found = Object.hasOwn(objects, name) ? objects[name] : undefined
    return found === undefined ? undefined : [name, found]
  }
  const sources = {
    secret: (key: string) => {
      const found = find(secrets, key)
      return found && secretOf(...found)
    },
    configMap: (key: string) => {
      const found = find(configMaps, key)
      return found && configMapOf(...found)
    },
  }
  return ingressSettings(annotated(annotations), sources, readDefaults(defaults, { isNginx }))
}

/** The policy of the route `a.io/`. */
export const policyFor = (annotations: Readonly<Record<string, string>>, objects?: TestObjects): RoutePolicy =>
  routePolicy(settingsFor(annotations, objects), {
    pattern: 'a.io',
    match: 'prefix',
    path: '/',
    hasTls: true,
    errorBackend: { backend: 'errors', labels: {} },
  }) ?? {}

/** `Reason name` of each finding, without the prefix. */
export const findingsFor = (annotations: Readonly<Record<string, string>>, objects?: TestObjects): readonly string[] =>
  settingsFor(annotations, objects).findings.map(({ reason, annotation }) => `${reason} ${annotation.replace(/^.*\//, '')}`)

export const valuesFor = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> =>
  annotationsOf(annotated(annotations)).values as Readonly<Record<string, unknown>>
