import { isNotFound } from '../../api/index.ts'
import type { Client } from '../../client/index.ts'
import type { GarbageOperation } from './desired.ts'
import type { GraphNode } from './graph.ts'

/** Carries the operations out, in order; what is gone already is as wanted. */
export const applyCollection = async (
  operations: readonly GarbageOperation[],
  client: Client,
  signal: AbortSignal,
): Promise<void> => {
  for (const operation of operations) {
    try {
      await applyOne(operation, client, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

const applyOne = async (operation: GarbageOperation, client: Client, signal: AbortSignal): Promise<void> => {
  const { node } = operation
  const { uid, object } = node
  switch (operation.type) {
    case 'delete': {
      // The version too: it may have got another owner meanwhile.
      const { resourceVersion } = object.metadata
      const preconditions = { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) }
      await client.delete(node.kind, object.metadata, { propagationPolicy: operation.policy, preconditions, signal })
      return
    }
    case 'disown': {
      const ownerReferences = (object.metadata.ownerReferences ?? []).filter((owner) => !operation.owners.has(owner.uid))
      await patch(node, { ownerReferences }, client, signal)
      return
    }
    case 'removeFinalizer': {
      const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== operation.finalizer)
      await patch(node, { finalizers }, client, signal)
      return
    }
    default:
      operation satisfies never
  }
}

const patch = async ({ kind, uid, object }: GraphNode, metadata: object, client: Client, signal: AbortSignal): Promise<void> => {
  const { resourceVersion } = object.metadata
  await client.patch(
    kind,
    object.metadata,
    { type: 'merge', value: { metadata: { uid, resourceVersion, ...metadata } } },
    { signal },
  )
}
