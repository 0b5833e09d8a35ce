import type { Kind, KubeObject, Problem } from '../../api/index.ts'
import type { UserInfo } from '../../client/index.ts'
import type { Condition, Write } from '../../store/index.ts'

/**
 * What is particular to one kind on its way into the store (Kubernetes' registry strategies). The verbs in `rest/` do what is common:
 * decode, metadata, defaults, validation, admission, conflict, storage, and they call these hooks in the order in which they stand here.
 */
export interface Strategy<T extends KubeObject> {
  readonly kind: Kind<T>
  /** Drops what a client may not set on create (such as status). Pure. */
  prepareForCreate?(object: T): T
  /** Carries over what a client may not change or left out (status, allocated addresses). Pure. */
  prepareForUpdate?(object: T, old: T): T
  /** The same for writes of the status subresource: by default spec and metadata of `old` with the status of `object`. Pure. */
  prepareForStatusUpdate?(object: T, old: T): T
  /**
   * Fills in what must be allocated (addresses, ports) and gives the store writes that make the allocation true: they are
   * committed in the same transaction as the object, so nothing leaks when it fails. On dry-run the plan is made and dropped.
   * When a condition of the plan fails in the store, `plan` is called again, a few times.
   * `object` is undefined for a delete, `old` for a create.
   */
  plan?(request: PlanRequest<T>): Promise<Plan<T>>
  /** Seconds that a delete leaves the object; `asked` is the client's `gracePeriodSeconds`. By default none. Pure. */
  graceSeconds?(object: T, asked: number | undefined): number
  /** What else changes in an object that is marked as being deleted. Pure. */
  prepareForDelete?(object: T): T
  /** Throws `Forbidden` for an object that may not be deleted at all. */
  checkDelete?(object: T): void
  /** Problems that need more than the object itself (other objects, configuration), reported together with `kind.validate`. */
  admit?(request: AdmitRequest<T>): Promise<readonly Problem[]>
}

export interface PlanRequest<T extends KubeObject> {
  readonly object: T | undefined
  readonly old: T | undefined
  readonly dryRun: boolean
}

export type Plan<T extends KubeObject> =
  | {
      readonly kind: 'ok'
      readonly object: T | undefined
      readonly conditions: readonly Condition[]
      readonly writes: readonly Write[]
      /** Called once the fate of the plan is known: committed, or not. */
      settle(committed: boolean): void
    }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }

export interface AdmitRequest<T extends KubeObject> {
  readonly object: T
  readonly old: T | undefined
  readonly user: UserInfo
}
