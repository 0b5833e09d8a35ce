import { deleteOptionsSchema, type Kind, listMetaSchema, scaleSchema, statusSchema } from '../../api/index.ts'
import {
  type JsonSchema,
  type NamedScalar,
  type Node,
  namedScalarSchemas,
  type ObjectNode,
  objectSchema,
} from '../../schema/index.ts'

/** Where the schemas of a document stand. */
const schemasPath = '#/components/schemas/'

const metaPackage = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const corePackage = 'io.k8s.api.core.v1'

const namedScalars: Readonly<Record<NamedScalar, string>> = {
  IntOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  Quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
}

/** Messages of the meta package; all others belong to the group whose kind holds them first. */
const metaMessages = new Set([
  'Condition',
  'DeleteOptions',
  'LabelSelector',
  'LabelSelectorRequirement',
  'ListMeta',
  'ManagedFieldsEntry',
  'ObjectMeta',
  'OwnerReference',
  'Preconditions',
  'Status',
  'StatusCause',
  'StatusDetails',
])

const ownerOf = (message: string): string | undefined => {
  if (metaMessages.has(message)) return metaPackage
  // A core message that only kinds of other groups hold.
  return message === 'PodTemplateSpec' ? corePackage : undefined
}

/** The schemas of one document, gathered as they are referred to. */
export class Components {
  private readonly names: ComponentNames
  private readonly schemas = new Map<string, JsonSchema>()

  constructor(names: ComponentNames) {
    this.names = names
  }

  /** A reference to an object's schema, which becomes part of the document with all that it holds. */
  readonly refOf = (node: ObjectNode | NamedScalar): string => {
    if (typeof node === 'string') {
      this.schemas.set(namedScalars[node], namedScalarSchemas[node])
      return schemasPath + namedScalars[node]
    }
    const name = this.names.nameOf(node)
    if (!this.schemas.has(name)) {
      // Taken before the fields are walked: a message may hold itself.
      this.schemas.set(name, {})
      const kinds = this.names.kindsOf(node)
      this.schemas.set(name, { ...objectSchema(node, this.refOf), ...(kinds.length === 0 ? {} : gvkExtension(kinds)) })
    }
    return schemasPath + name
  }

  /** A reference to the list of a kind. */
  listRefOf(kind: Kind, node: ObjectNode): string {
    const name = `${this.names.nameOf(node)}List`
    this.schemas.set(name, {
      description: `A list of objects of the kind ${kind.kind}.`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: { $ref: this.refOf(listMetaSchema.node) },
        items: { type: 'array', items: { $ref: this.refOf(node) } },
      },
      ...gvkExtension([{ group: kind.group, version: kind.version, kind: `${kind.kind}List` }]),
    })
    return schemasPath + name
  }

  /** The schema of a patch: anything. */
  patchRef(): string {
    const name = `${metaPackage}.Patch`
    this.schemas.set(name, { description: 'A patch in the format of the content type.', type: 'object' })
    return schemasPath + name
  }

  all(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.schemas].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const gvkExtension = (kinds: readonly GroupVersionKind[]): JsonSchema => ({
  'x-kubernetes-group-version-kind': kinds.map(({ group, version, kind }) => ({ group, version, kind })),
})

/** The names of all objects of the served kinds: the same in every document. */
export class ComponentNames {
  private readonly names = new Map<ObjectNode, string>()
  private readonly taken = new Set<string>()
  private readonly kinds = new Map<ObjectNode, GroupVersionKind[]>()

  constructor(kinds: readonly Kind[]) {
    for (const schema of [listMetaSchema, statusSchema, deleteOptionsSchema]) this.name(schema.node, metaPackage)
    this.name(scaleSchema.node, 'io.k8s.api.autoscaling.v1')
    this.kinds.set(scaleSchema.node, [{ group: 'autoscaling', version: 'v1', kind: 'Scale' }])
    for (const kind of kinds) {
      const node = objectNode(kind.schema.node)
      this.kinds.set(node, [...(this.kinds.get(node) ?? []), kind])
      this.name(node, packageOf(kind))
    }
  }

  /** Throws for an object that no kind holds. */
  nameOf(node: ObjectNode): string {
    const name = this.names.get(node)
    if (name === undefined) throw new Error(`no served kind holds a ${node.name}`)
    return name
  }

  kindsOf(node: ObjectNode): readonly GroupVersionKind[] {
    return this.kinds.get(node) ?? []
  }

  private name(node: Node, owner: string): void {
    if (node.kind === 'list') this.name(node.items, owner)
    else if (node.kind === 'map') this.name(node.values, owner)
    else if (node.kind === 'lazy') this.name(node.resolve(), owner)
    else if (node.kind === 'object') this.nameObject(node, owner)
  }

  private nameObject(node: ObjectNode, owner: string): void {
    if (this.names.has(node)) return
    const wanted = `${ownerOf(node.name) ?? owner}.${node.name}`
    let name = wanted
    for (let suffix = 2; this.taken.has(name); suffix++) name = `${wanted}_v${suffix}`
    this.taken.add(name)
    this.names.set(node, name)
    for (const field of Object.values(node.fields)) this.name(field.node, owner)
  }
}

/** The object that a kind's schema is. */
export const objectNode = (node: Node): ObjectNode => {
  if (node.kind === 'object') return node
  if (node.kind === 'lazy') return objectNode(node.resolve())
  throw new Error(`the schema of a kind is a ${node.kind}, not an object`)
}

const packageOf = ({ group, version }: Kind): string => `io.k8s.api.${group === '' ? 'core' : group.split('.')[0]}.${version}`
