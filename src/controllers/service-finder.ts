import { labelsMatch, type Node, type Pod, type Service, sameValue } from '../api/index.ts'
import type { Change, Lister } from '../informers/index.ts'
import { isReady } from './pods.ts'
import { candidatesFor } from './selection.ts'

/** From what changed to the Services that it concerns, by index: the cost is that of the change. */
export interface ServiceFinder {
  /** Services that select `pod`. */
  ofPod(pod: Pod): readonly Service[]
  /** Services whose endpoints a change may touch; none for a change that no endpoint shows. */
  ofPodChange(change: Change<Pod>): readonly Service[]
  /** Pods whose endpoints show what changed about the Node. */
  podsOfNodeChange(change: Change<Node>): readonly Pod[]
}

export interface ServiceFinderListers {
  readonly services: Lister<Service>
  readonly pods: Lister<Pod>
}

export const createServiceFinder = ({ services, pods }: ServiceFinderListers): ServiceFinder => {
  const ofPod = (pod: Pod): readonly Service[] =>
    candidatesFor(services, pod).filter(
      ({ spec }) => isSelecting(spec.selector) && labelsMatch(spec.selector, pod.metadata.labels),
    )
  return {
    ofPod,
    ofPodChange(change) {
      if (change.type !== 'updated') return ofPod(change.object)
      const { object, previous } = change
      const sameLabels = sameValue(object.metadata.labels, previous.metadata.labels)
      if (sameLabels && sameEndpoint(object, previous)) return []
      return sameLabels ? ofPod(object) : [...new Set([...ofPod(object), ...ofPod(previous)])]
    },
    podsOfNodeChange(change) {
      if (change.type === 'updated' && zoneOf(change.object) === zoneOf(change.previous)) return []
      return pods.byIndex('node', change.object.metadata.name)
    },
  }
}

const isSelecting = (selector: Readonly<Record<string, string>> | undefined): boolean => Object.keys(selector ?? {}).length > 0

const zoneOf = ({ metadata }: Node): string | undefined => metadata.labels?.['topology.kubernetes.io/zone']

/** Whether both versions make the same endpoint: most changes of a pod's status touch none. */
const sameEndpoint = (a: Pod, b: Pod): boolean =>
  isReady(a) === isReady(b) &&
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  a.status?.phase === b.status?.phase &&
  a.status?.podIP === b.status?.podIP &&
  a.spec.nodeName === b.spec.nodeName &&
  sameValue(a.status?.podIPs, b.status?.podIPs) &&
  sameValue([a.spec.hostname, a.spec.subdomain, a.spec.containers], [b.spec.hostname, b.spec.subdomain, b.spec.containers])
