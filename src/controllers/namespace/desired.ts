import type { Namespace, NamespaceCondition } from '../../api/index.ts'

export const KUBERNETES_FINALIZER = 'kubernetes'

/** What is left in a namespace after its contents were told to go. */
export interface Left {
  readonly total: number
  /** `pods`, `services`, ... with how many are left. */
  readonly byResource: ReadonlyMap<string, number>
  /** Finalizers that hold objects, with how many they hold. */
  readonly byFinalizer: ReadonlyMap<string, number>
  readonly errors: readonly string[]
}

/** The conditions of a namespace that is not empty yet, as kube-controller-manager words them. */
export const desiredConditions = ({ status }: Namespace, left: Left, nowMs: number): readonly NamespaceCondition[] => {
  const resources = counted(left.byResource, (name, count) => `${name} has ${count} resource instances`)
  const finalizers = counted(left.byFinalizer, (name, count) => `${name} in ${count} resource instances`)
  const wanted: readonly Omit<NamespaceCondition, 'lastTransitionTime'>[] = [
    left.errors.length > 0
      ? {
          type: 'NamespaceDeletionContentFailure',
          status: 'True',
          reason: 'ContentDeletionFailed',
          message: left.errors.join('; ').slice(0, 4_096),
        }
      : {
          type: 'NamespaceDeletionContentFailure',
          status: 'False',
          reason: 'ContentDeleted',
          message: 'All content successfully deleted, may be waiting on finalization',
        },
    left.total > 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${resources}`,
        }
      : {
          type: 'NamespaceContentRemaining',
          status: 'False',
          reason: 'ContentRemoved',
          message: 'All content successfully removed',
        },
    left.byFinalizer.size > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${finalizers}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ]
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
  const types = new Set(wanted.map(({ type }) => type))
  return [
    ...(status?.conditions ?? []).filter(({ type }) => !types.has(type)),
    ...wanted.map((condition) => {
      const known = status?.conditions?.find(({ type }) => type === condition.type)
      return { ...condition, lastTransitionTime: known?.status === condition.status ? (known.lastTransitionTime ?? now) : now }
    }),
  ]
}

const counted = (counts: ReadonlyMap<string, number>, text: (name: string, count: number) => string): string =>
  [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => text(name, count))
    .join(', ')
