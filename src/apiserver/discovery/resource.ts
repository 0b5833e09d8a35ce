import type { Kind, Subresource } from '../../api/index.ts'

/** One entry of a discovery document. */
export interface ApiResource {
  readonly group: string
  readonly version: string
  /** The plural, or `plural/subresource`. */
  readonly name: string
  readonly singular: string
  readonly namespaced: boolean
  readonly kind: string
  /** Of the kind, where it differs from the group and version under which it is served. */
  readonly kindGroup?: string
  readonly kindVersion?: string
  readonly verbs: readonly string[]
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
}

/** A kind that is answered but not stored, such as SelfSubjectAccessReview. */
export interface VirtualKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
}

/** The resources of kinds, each followed by its subresources. */
export const resourcesOf = (kinds: readonly Kind[], virtual: readonly VirtualKind[]): readonly ApiResource[] => [
  ...kinds.flatMap((kind) => [mainResource(kind), ...[...kind.subresources].sort().map((name) => subresource(kind, name))]),
  ...virtual.map((kind) => ({
    group: kind.group,
    version: kind.version,
    name: kind.plural,
    singular: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: kind.verbs,
    shortNames: [],
    categories: [],
  })),
]

/** The verbs of a kind's collection and objects, in the order of Kubernetes. */
export const verbsOf = (kind: Pick<Kind, 'group' | 'plural'>): readonly string[] =>
  // A namespace is finalized, one by one: Kubernetes offers no deletecollection.
  kind.group === '' && kind.plural === 'namespaces' ? allVerbs.filter((verb) => verb !== 'deletecollection') : allVerbs

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

const mainResource = (kind: Kind): ApiResource => ({
  group: kind.group,
  version: kind.version,
  name: kind.plural,
  singular: kind.singular,
  namespaced: kind.namespaced,
  kind: kind.kind,
  verbs: verbsOf(kind),
  shortNames: kind.shortNames,
  categories: kind.categories,
})

const subresource = (kind: Kind, name: Subresource): ApiResource => ({
  group: kind.group,
  version: kind.version,
  name: `${kind.plural}/${name}`,
  singular: '',
  namespaced: kind.namespaced,
  ...subresourceKind(kind, name),
  shortNames: [],
  categories: [],
})

type SubresourceKind = Pick<ApiResource, 'kind' | 'kindGroup' | 'kindVersion' | 'verbs'>

const subresourceKind = (kind: Kind, name: Subresource): SubresourceKind => {
  switch (name) {
    case 'status':
      return { kind: kind.kind, verbs: ['get', 'patch', 'update'] }
    case 'scale':
      return { kind: 'Scale', kindGroup: 'autoscaling', kindVersion: 'v1', verbs: ['get', 'patch', 'update'] }
    case 'log':
      return { kind: kind.kind, verbs: ['get'] }
    case 'exec':
      return { kind: 'PodExecOptions', verbs: ['create', 'get'] }
    case 'token':
      return { kind: 'TokenRequest', kindGroup: 'authentication.k8s.io', kindVersion: 'v1', verbs: ['create'] }
    case 'binding':
      return { kind: 'Binding', verbs: ['create'] }
    case 'eviction':
      return { kind: 'Eviction', kindGroup: 'policy', kindVersion: 'v1', verbs: ['create'] }
    case 'finalize':
      return { kind: kind.kind, verbs: ['update'] }
    default:
      return name satisfies never
  }
}
