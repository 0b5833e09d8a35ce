import { type Kind, type KubeObject, notFound, type Subject } from '../../api/index.ts'
import type { Strategy } from '../registry/strategy.ts'

/** One served resource: the kind that clients see, the kind that is stored, and what is particular to it. */
export interface Resource {
  readonly kind: Kind
  readonly hub: Kind
  readonly strategy: Strategy<KubeObject>
  toHub(object: KubeObject): KubeObject
  /** The stored object as this version shows it; the same object for the same input, so that it is encoded once. */
  fromHub(object: KubeObject): KubeObject
}

export interface Resources {
  readonly all: readonly Resource[]
  /** The kinds that are stored, each once. */
  readonly hubs: readonly Kind[]
  find(group: string, version: string, plural: string): Resource | undefined
  /** The stored resource of a group in whatever version it is served. */
  hub(group: string, plural: string): Resource
}

/** The served resources of `kinds`, each with its strategy or the default one. */
export const createResources = (kinds: readonly Kind[], strategies: readonly Strategy<KubeObject>[]): Resources => {
  const byPath = new Map<string, Resource>()
  const hubs = new Map<string, Resource>()
  for (const kind of kinds) {
    const hub = kind.conversion?.hub ?? kind
    const strategy = strategies.find((candidate) => isSameKind(candidate.kind, hub)) ?? { kind: hub }
    const resource: Resource = { kind, hub, strategy, ...conversions(kind) }
    byPath.set(path(kind.group, kind.version, kind.plural), resource)
    if (hub === kind) hubs.set(path(kind.group, '', kind.plural), resource)
  }
  return {
    all: [...byPath.values()],
    hubs: [...hubs.values()].map((resource) => resource.kind),
    find: (group, version, plural) => byPath.get(path(group, version, plural)),
    hub(group, plural) {
      const resource = hubs.get(path(group, '', plural))
      if (resource === undefined) throw new Error(`no stored kind ${plural} in group "${group}"`)
      return resource
    },
  }
}

/** What an error about `name` of this resource names. */
export const subjectOf = (kind: Kind, name: string): Subject => ({
  group: kind.group,
  plural: kind.plural,
  kind: kind.kind,
  name,
})

export const resourceNotFound = (resource: Resource, name: string) => notFound(subjectOf(resource.kind, name))

const path = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`

const isSameKind = (a: Kind, b: Kind): boolean => a.group === b.group && a.plural === b.plural

const conversions = (kind: Kind): Pick<Resource, 'toHub' | 'fromHub'> => {
  const { conversion } = kind
  if (conversion === undefined) return { toHub: (object) => object, fromHub: (object) => object }
  const converted = new WeakMap<KubeObject, KubeObject>()
  return {
    toHub: (object) => conversion.toHub(object),
    fromHub(object) {
      const known = converted.get(object)
      if (known !== undefined) return known
      const result = conversion.fromHub(object)
      converted.set(object, result)
      return result
    },
  }
}
