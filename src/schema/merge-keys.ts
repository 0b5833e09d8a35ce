import type { Node } from './schema.ts'

/** How a strategic merge patch treats the value of a field. */
export interface MergeRule {
  /** The child's node; undefined where the schema says nothing (open objects, `any`). */
  readonly node: Node | undefined
  /** Whole value taken from the patch, or merged into what is there. */
  readonly strategy: 'merge' | 'replace'
  /** For a merged list of objects: the field that tells its elements apart. */
  readonly mergeKey?: string
  /** For a merged list of objects: the fields that really identify an element; the merge key is one of them. */
  readonly keys: readonly string[]
}

/** The rule for a field of an object, or a key of a map. */
export const mergeRule = (parent: Node | undefined, key: string): MergeRule => {
  const node = childNode(parent, key)
  switch (node?.kind) {
    case 'list': {
      const { patch, mergeKey, keys = [] } = node.list
      return { node, strategy: patch === 'merge' ? 'merge' : 'replace', mergeKey, keys }
    }
    case 'object':
      return { node, strategy: node.patch === 'replace' ? 'replace' : 'merge', keys: [] }
    default:
      return { node, strategy: node === undefined || node.kind === 'map' || node.kind === 'any' ? 'merge' : 'replace', keys: [] }
  }
}

/** The elements of a list. */
export const itemNode = (list: Node | undefined): Node | undefined => (list?.kind === 'list' ? resolved(list.items) : undefined)

const childNode = (parent: Node | undefined, key: string): Node | undefined => {
  switch (parent?.kind) {
    case 'object':
      return Object.hasOwn(parent.fields, key) ? resolved(parent.fields[key]?.node) : undefined
    case 'map':
      return resolved(parent.values)
    default:
      return undefined
  }
}

const resolved = (node: Node | undefined): Node | undefined => (node?.kind === 'lazy' ? resolved(node.resolve()) : node)
