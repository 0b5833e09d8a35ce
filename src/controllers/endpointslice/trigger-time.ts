import type { Pod, Service } from '../../api/index.ts'
import { readyCondition } from '../pods.ts'

/** When the Service and each of its pods last changed, as far as an earlier sync knew. */
export interface TriggerTimes {
  readonly service: string | undefined
  readonly pods: ReadonlyMap<string, string>
}

export interface Triggered {
  readonly times: TriggerTimes
  /** The oldest change since the earlier sync; undefined when nothing that has a time changed. */
  readonly oldest: string | undefined
}

/** What changed since `known`; at the first sync everything did. */
export const triggered = (known: TriggerTimes | undefined, service: Service, pods: readonly Pod[]): Triggered => {
  const changes: string[] = []
  const times = new Map<string, string>()
  for (const pod of pods) {
    const at = readyCondition(pod)?.lastTransitionTime
    if (at === undefined) continue
    times.set(pod.metadata.name, at)
    const before = known?.pods.get(pod.metadata.name)
    if (before === undefined || before < at) changes.push(at)
  }
  const created = service.metadata.creationTimestamp
  if (created !== undefined && known?.service !== created) changes.push(created)
  return { times: { service: created, pods: times }, oldest: changes.sort()[0] }
}
