import type { Schema } from '../schema/index.ts'
import type { NameRule } from './meta/name-rule.ts'
import type { ObjectMeta } from './meta/object-meta.ts'

/** What every API object has. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/** One error in an object; `path` as Kubernetes writes it: `spec.ports[0].port`. */
export interface Problem {
  readonly path: string
  readonly type: ProblemType
  /** What was found there; left out for `Required` and `Forbidden`. */
  readonly value?: unknown
  readonly detail: string
}

/** The `reason` of a Status cause is `FieldValue` and this word. */
export type ProblemType = 'Required' | 'Invalid' | 'NotSupported' | 'Duplicate' | 'Forbidden' | 'TooLong' | 'TooMany' | 'NotFound'

/** A column of `kubectl get`; `priority` above 0 only with `-o wide`. */
export interface Column<T extends KubeObject> {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'date'
  readonly format?: string
  readonly description: string
  readonly priority: number
  /** `nowMs` is for ages. */
  cell(object: T, nowMs: number): string | number | boolean | null
}

/** A path that field selectors may name, and how its value is read. */
export interface SelectableField<T extends KubeObject> {
  readonly path: string
  read(object: T): string
}

/** Everything that the API server, the clients and the documents need to know of one served kind. */
export interface Kind<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  /** How its objects may be named. */
  readonly nameRule: NameRule
  readonly schema: Schema<T>
  /** With the name first, as `kubectl get` prints them. */
  readonly columns: readonly Column<T>[]
  readonly subresources: ReadonlySet<Subresource>
  /** Extra field selectors beside metadata.name and metadata.namespace. */
  readonly selectableFields: readonly SelectableField<T>[]
  /** Returns the object with every default filled in; never changes its argument. */
  setDefaults(object: T): T
  /** All problems of a new object, or of `object` in place of `old`. Pure; says nothing of metadata, which is common to all kinds. */
  validate(object: T, old?: T): readonly Problem[]
  /** Warnings that kubectl prints, for example about deprecated fields. */
  warnings?(object: T): readonly string[]
  /** Set on a served version that is not the stored one: how it becomes the stored one and back. */
  readonly conversion?: Conversion<T>
}

export type Subresource = 'status' | 'scale' | 'log' | 'exec' | 'token' | 'binding' | 'eviction' | 'finalize'

export interface Conversion<T extends KubeObject> {
  /** The kind that is stored. */
  readonly hub: Kind
  toHub(object: T): KubeObject
  fromHub(hub: KubeObject): T
}

/** `group/version`, or just the version for the core group. */
export const apiVersionOf = (kind: { readonly group: string; readonly version: string }): string =>
  kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
