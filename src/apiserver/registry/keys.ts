import type { Kind, KubeObject } from '../../api/index.ts'

type KindKey = Pick<Kind, 'group' | 'plural'>

/** The store key of one object; names and namespaces hold no `/`, so that prefixes never overlap. */
export const objectKey = (kind: KindKey, namespace: string | undefined, name: string): string =>
  namespace === undefined ? `${kindPrefix(kind)}${name}` : `${namespacePrefix(kind, namespace)}${name}`

/** The prefix of all objects of a kind. */
export const kindPrefix = (kind: KindKey): string => `/registry/${kind.group === '' ? 'core' : kind.group}/${kind.plural}/`

/** The prefix of all objects of a kind in one namespace. */
export const namespacePrefix = (kind: KindKey, namespace: string): string => `${kindPrefix(kind)}${namespace}/`

/** The store key of an object of a kind. */
export const keyOf = (kind: Kind, object: KubeObject): string =>
  objectKey(kind, kind.namespaced ? object.metadata.namespace : undefined, object.metadata.name)
