/**
 * The schema language: one definition yields the TypeScript type, and at run time the JSON schema,
 * the patch merge keys, the protobuf field numbers and the OpenAPI document.
 */

import { isPointer } from './pointers.ts'

/** A definition of the JSON values of type `T`; `node` is what the run-time readers walk. */
export interface Schema<T> {
  readonly node: Node
  /** Never set: carries `T` for the compiler only. */
  readonly typeOf?: T
}

/** The TypeScript type that a schema describes. */
export type Infer<S> = S extends Schema<infer T> ? T : never

export type Node = ScalarNode | MapNode | ListNode | ObjectNode | LazyNode

export type ScalarNode =
  | { readonly kind: 'string'; readonly format?: StringFormat; readonly values?: readonly string[] }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'integer'; readonly bits: 32 | 64 }
  | { readonly kind: 'number' }
  | { readonly kind: 'intOrString' }
  | { readonly kind: 'any' }

/**
 * `byte` is base64 (protobuf bytes), `date-time` RFC 3339 with seconds (protobuf Time),
 * `micro-time` RFC 3339 with six digits (MicroTime), `quantity` a resource.Quantity.
 */
export type StringFormat = 'byte' | 'date-time' | 'micro-time' | 'quantity'

export interface MapNode {
  readonly kind: 'map'
  readonly values: Node
}

export interface ListNode {
  readonly kind: 'list'
  readonly items: Node
  readonly list: ListOptions
}

/** Merge behaviour of a list: `type` and `keys` for server-side apply, `mergeKey` and `patch` for strategic merge. */
export interface ListOptions {
  readonly type?: 'atomic' | 'set' | 'map'
  readonly keys?: readonly string[]
  readonly mergeKey?: string
  readonly patch?: 'merge' | 'replace'
}

export interface ObjectNode {
  readonly kind: 'object'
  /** The message's name in Kubernetes, such as `ServiceSpec`. */
  readonly name: string
  readonly fields: Readonly<Record<string, FieldNode>>
  /** Messages that are nested in protobuf but flattened into this object in JSON; their fields are in `fields` too. */
  readonly embeds: readonly EmbedNode[]
  /** Unknown fields are kept and not reported. */
  readonly open: boolean
  /** Strategic merge: `retainKeys` where setting one member of a union clears the others. */
  readonly patch?: 'retainKeys' | 'replace'
  readonly atomic?: boolean
  readonly doc?: string
}

export interface FieldNode {
  /** Protobuf field number; undefined when the field has none on the wire, or when it belongs to an embed. */
  readonly number?: number
  readonly node: Node
  /** Must be present on the wire. */
  readonly required: boolean
  /** Present in every stored object: `required`, or filled in (`always`). */
  readonly present: boolean
  /** The zero value differs from "not set" (a pointer in Go); elsewhere in optional fields it is the same and is dropped. */
  readonly pointer: boolean
  readonly doc?: string
}

export interface EmbedNode {
  readonly number: number
  readonly node: ObjectNode
}

/** A node that is resolved at first use: for messages that contain themselves. */
export interface LazyNode {
  readonly kind: 'lazy'
  readonly name: string
  resolve(): Node
}

/** One field of an object; `P` says whether the TypeScript property may be absent. */
export interface Field<T, P extends 'optional' | 'present'> {
  readonly schema: Schema<T>
  readonly number?: number
  readonly required: boolean
  readonly doc?: string
  readonly presence: P
}

/** A field that may be absent. */
export const optional = <T>(number: number | undefined, schema: Schema<T>, doc?: string): Field<T, 'optional'> => ({
  schema,
  number,
  doc,
  required: false,
  presence: 'optional',
})

/** A field that must be present on the wire. */
export const required = <T>(number: number | undefined, schema: Schema<T>, doc?: string): Field<T, 'present'> => ({
  schema,
  number,
  doc,
  required: true,
  presence: 'present',
})

/** A field that is optional on the wire and present in every object that was defaulted and stored. */
export const always = <T>(number: number | undefined, schema: Schema<T>, doc?: string): Field<T, 'present'> => ({
  schema,
  number,
  doc,
  required: false,
  presence: 'present',
})

const scalar = <T>(node: ScalarNode): Schema<T> => ({ node })

export const string = (): Schema<string> => scalar({ kind: 'string' })
/** A string of a closed set; other values are reported by validation as "Unsupported value", not as a type error. */
export const oneOf = <const V extends readonly string[]>(...values: V): Schema<V[number]> => scalar({ kind: 'string', values })
export const boolean = (): Schema<boolean> => scalar({ kind: 'boolean' })
export const int32 = (): Schema<number> => scalar({ kind: 'integer', bits: 32 })
export const int64 = (): Schema<number> => scalar({ kind: 'integer', bits: 64 })
export const double = (): Schema<number> => scalar({ kind: 'number' })
export const bytes = (): Schema<string> => scalar({ kind: 'string', format: 'byte' })
export const time = (): Schema<string> => scalar({ kind: 'string', format: 'date-time' })
export const microTime = (): Schema<string> => scalar({ kind: 'string', format: 'micro-time' })
export const quantity = (): Schema<string | number> => scalar({ kind: 'string', format: 'quantity' })
export const intOrString = (): Schema<number | string> => scalar({ kind: 'intOrString' })
export const any = (): Schema<unknown> => scalar({ kind: 'any' })

export const map = <T>(values: Schema<T>): Schema<Readonly<Record<string, T>>> => ({
  node: { kind: 'map', values: values.node },
})

export const list = <T>(items: Schema<T>, options: ListOptions = {}): Schema<readonly T[]> => ({
  node: { kind: 'list', items: items.node, list: options },
})

/** A message that contains itself, directly or through others. */
export const lazy = <T>(name: string, resolve: () => Schema<T>): Schema<T> => ({
  node: { kind: 'lazy', name, resolve: () => resolve().node },
})

type Fields = Readonly<Record<string, Field<unknown, 'optional' | 'present'>>>

type PresentKeys<F> = { [K in keyof F]: F[K] extends Field<unknown, 'present'> ? K : never }[keyof F]

type FieldType<F> = F extends Field<infer T, 'optional' | 'present'> ? T : never

type Flatten<T> = { [K in keyof T]: T[K] }

/** The TypeScript type of an object with fields `F`. */
export type ObjectOf<F> = Flatten<
  { readonly [K in PresentKeys<F>]: FieldType<F[K]> } & {
    readonly [K in Exclude<keyof F, PresentKeys<F>>]?: FieldType<F[K]>
  }
>

/** An object schema; embeddable in another. */
export interface ObjectSchema<T> extends Schema<T> {
  readonly node: ObjectNode
}

interface ObjectOptions {
  readonly open?: boolean
  readonly patch?: 'retainKeys' | 'replace'
  readonly atomic?: boolean
  readonly doc?: string
}

export const object = <F extends Fields>(name: string, fields: F, options: ObjectOptions = {}): ObjectSchema<ObjectOf<F>> => ({
  node: {
    kind: 'object',
    name,
    fields: Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, fieldNode(field, isPointer(name, key))])),
    embeds: [],
    open: options.open ?? false,
    patch: options.patch,
    atomic: options.atomic,
    doc: options.doc,
  },
})

/**
 * `base` with the fields of `embedded` beside its own in JSON, and nested under `number` in protobuf
 * (Go's inlined structs, such as `IngressRule.ingressRuleValue`).
 */
export const embed = <A, B>(base: ObjectSchema<A>, number: number, embedded: ObjectSchema<B>): ObjectSchema<Flatten<A & B>> => {
  const inlined = Object.entries(embedded.node.fields).map(([key, field]) => [key, { ...field, number: undefined }])
  return {
    node: {
      ...base.node,
      fields: { ...base.node.fields, ...Object.fromEntries(inlined) },
      embeds: [...base.node.embeds, { number, node: embedded.node }],
    },
  }
}

const fieldNode = (field: Field<unknown, 'optional' | 'present'>, pointer: boolean): FieldNode => ({
  number: field.number,
  node: field.schema.node,
  required: field.required,
  present: field.presence === 'present',
  pointer,
  doc: field.doc,
})
