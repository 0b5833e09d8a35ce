import { type ApiError, invalid, type KubeObject, type Problem } from '../../api/index.ts'
import {
  type Condition,
  type Entry,
  type Store,
  type Transaction,
  type TransactionResult,
  type Write,
  WriteFailedError,
} from '../../store/index.ts'
import { encodeObject, withResourceVersion } from '../cache/index.ts'
import { keyOf } from '../registry/keys.ts'
import type { Plan } from '../registry/strategy.ts'
import type { RestContext } from './context.ts'
import { notStored } from './failures.ts'
import { type Resource, subjectOf } from './resources.ts'

/** One change of one stored object. */
interface Commit {
  readonly resource: Resource
  /** Undefined for a creation. */
  readonly old: KubeObject | undefined
  /** Undefined for a deletion. */
  readonly object: KubeObject | undefined
  readonly dryRun: boolean
  /** What else must still be true. */
  readonly conditions?: readonly Condition[]
}

export type CommitResult =
  /** `object` is undefined after a deletion, and has no resourceVersion of its own on dry-run. */
  | { readonly kind: 'committed'; readonly object: KubeObject | undefined; readonly revision: number }
  /** The object itself is no longer as it was. */
  | { readonly kind: 'changed'; readonly entry: Entry | undefined }
  /** Something else that the write depended on has changed: try again. */
  | { readonly kind: 'retry' }

/** Plans and writes one change in one transaction. Throws `Invalid` when the plan is refused, 507 or 503 when the disk does not take it. */
export const commit = async (context: RestContext, request: Commit): Promise<CommitResult> => {
  const { resource, old, dryRun } = request
  const plan = await planOf(request)
  if (plan.kind === 'refused') throw invalidObject(resource, request.object ?? old, plan.problems)
  let committed = false
  try {
    if (dryRun) return { kind: 'committed', object: plan.object, revision: Number(old?.metadata.resourceVersion ?? 0) }
    const key = keyOf(resource.hub, plan.object ?? old ?? unreachable())
    const result = await write(context.store, {
      conditions: [
        { key, modRevision: Number(old?.metadata.resourceVersion ?? 0) },
        ...(request.conditions ?? []),
        ...plan.conditions,
      ],
      writes: [writeOf(key, plan.object), ...plan.writes],
    })
    if (result.committed) {
      committed = true
      const object = plan.object === undefined ? undefined : withResourceVersion(plan.object, result.revision)
      return { kind: 'committed', object, revision: result.revision }
    }
    const own = result.failed.find((failure) => failure.key === key)
    return own === undefined ? { kind: 'retry' } : { kind: 'changed', entry: own.entry }
  } finally {
    plan.settle(committed)
  }
}

const write = async (store: Store, transaction: Transaction): Promise<TransactionResult> => {
  try {
    return await store.transact(transaction)
  } catch (error) {
    throw error instanceof WriteFailedError ? notStored(error) : error
  }
}

const planOf = async ({ resource, old, object, dryRun }: Commit): Promise<Plan<KubeObject>> =>
  (await resource.strategy.plan?.({ object, old, dryRun })) ?? {
    kind: 'ok',
    object,
    conditions: [],
    writes: [],
    settle: () => {},
  }

const writeOf = (key: string, object: KubeObject | undefined): Write =>
  object === undefined ? { type: 'delete', key } : { type: 'put', key, value: encodeObject(object) }

const unreachable = (): never => {
  throw new Error('a change has an object or an old one')
}

/** 422 with everything that is wrong with `object`. */
export const invalidObject = (resource: Resource, object: KubeObject | undefined, problems: readonly Problem[]): ApiError =>
  invalid(subjectOf(resource.hub, object?.metadata.name ?? ''), problems)
