import { isConflict, isNotFound, type Pod, type PodCondition, podKind } from '../../api/index.ts'
import type { Client, EventRecorder } from '../../client/index.ts'

export interface ApplyOptions {
  readonly client: Client
  readonly events: EventRecorder
  readonly nowMs: number
  readonly signal: AbortSignal
}

/** Binds the pod to the node; false when the pod is gone or bound already. */
export const bind = async (pod: Pod, node: string, { client, events, signal }: ApplyOptions): Promise<boolean> => {
  const { namespace, name, uid } = pod.metadata
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) }
  const target = { apiVersion: 'v1', kind: 'Node', name: node }
  const body = { apiVersion: 'v1', kind: 'Binding', metadata, target }
  try {
    await client.createSubresource(podKind, pod.metadata, { subresource: 'binding', body, signal })
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return false
    throw error
  }
  const message = `Successfully assigned ${namespace}/${name} to ${node}`
  events.event(pod, { type: 'Normal', reason: 'Scheduled', message })
  return true
}

/** Says on the pod why it has no node; writes nothing when it says so already. */
export const reportUnschedulable = async (
  pod: Pod,
  message: string,
  { client, events, nowMs, signal }: ApplyOptions,
): Promise<void> => {
  events.event(pod, { type: 'Warning', reason: 'FailedScheduling', message })
  const known = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (known?.status === 'False' && known.message === message) return
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
  const condition: PodCondition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastTransitionTime: known?.status === 'False' ? (known.lastTransitionTime ?? now) : now,
  }
  const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled'), condition]
  const status = { phase: 'Pending' as const, ...pod.status, conditions }
  await client.update(podKind, { ...pod, status }, { subresource: 'status', signal }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}
