import type { KubeObject, ObjectMeta, OwnerReference } from '../index.ts'

export const DEFAULT_NAMESPACE = 'default'
export const DEFAULT_CREATED = '2026-01-01T00:00:00Z'

/** What a builder needs of a kind. */
interface Defaulting<T> {
  readonly kind: string
  readonly namespaced: boolean
  setDefaults(object: T): T
}

/** Metadata as a stored object has it, the same for the same name in every run. */
export const storedMetadata = (
  { kind, namespaced }: { readonly kind: string; readonly namespaced: boolean },
  name: string,
): ObjectMeta => ({
  name,
  ...(namespaced ? { namespace: DEFAULT_NAMESPACE } : {}),
  uid: `${kind.toLowerCase()}-${name}`,
  resourceVersion: '1',
  generation: 1,
  creationTimestamp: DEFAULT_CREATED,
})

/** Builds an object step by step; every step gives a new builder, so that a common beginning can be shared. */
export abstract class Builder<T extends KubeObject> {
  protected readonly object: T
  readonly #kind: Defaulting<T>

  constructor(kind: Defaulting<T>, object: T) {
    this.#kind = kind
    this.object = object
  }

  /** The object, defaulted. */
  build(): T {
    return this.#kind.setDefaults(this.object)
  }

  /** Changes any part of the object; for what has no step of its own. */
  with(change: (object: T) => T): this {
    const Same = this.constructor as new (kind: Defaulting<T>, object: T) => this
    return new Same(this.#kind, change(this.object))
  }

  metadata(change: Partial<ObjectMeta>): this {
    return this.with((object) => ({ ...object, metadata: { ...object.metadata, ...change } }))
  }

  namespace(namespace: string): this {
    return this.metadata({ namespace, uid: `${this.#kind.kind.toLowerCase()}-${namespace}-${this.object.metadata.name}` })
  }

  uid(uid: string): this {
    return this.metadata({ uid })
  }

  labels(labels: Readonly<Record<string, string>>): this {
    return this.metadata({ labels: { ...this.object.metadata.labels, ...labels } })
  }

  annotations(annotations: Readonly<Record<string, string>>): this {
    return this.metadata({ annotations: { ...this.object.metadata.annotations, ...annotations } })
  }

  created(creationTimestamp: string): this {
    return this.metadata({ creationTimestamp })
  }

  resourceVersion(resourceVersion: string): this {
    return this.metadata({ resourceVersion })
  }

  generation(generation: number): this {
    return this.metadata({ generation })
  }

  /** Marks it as being deleted. */
  deleted(deletionTimestamp = '2026-01-01T01:00:00Z'): this {
    return this.metadata({ deletionTimestamp, deletionGracePeriodSeconds: 30 })
  }

  finalizers(...finalizers: readonly string[]): this {
    return this.metadata({ finalizers })
  }

  /** Makes another object its controller. */
  ownedBy({ apiVersion, kind, metadata }: KubeObject): this {
    const owner: OwnerReference = {
      apiVersion,
      kind,
      name: metadata.name,
      uid: metadata.uid ?? '',
      controller: true,
      blockOwnerDeletion: true,
    }
    return this.metadata({ ownerReferences: [owner] })
  }
}
