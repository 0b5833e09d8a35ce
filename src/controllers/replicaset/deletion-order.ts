import type { Pod } from '../../api/index.ts'
import { isReady, readyCondition } from '../pods.ts'

type Order = (a: Pod, b: Pod) => number

/**
 * Which pods go first when there are too many: those that serve least, cost least, share their node with most of their kind,
 * and have run for the shortest time. The order is total.
 */
export const byDeletionOrder = (neighbours: ReadonlyMap<string, number>): Order => {
  const crowd = ({ spec }: Pod): number => (spec.nodeName ? (neighbours.get(spec.nodeName) ?? 0) : 0)
  const orders: readonly Order[] = [
    ascending(({ spec }) => (spec.nodeName ? 1 : 0)),
    ascending(({ status }) => PHASES.indexOf(status?.phase ?? 'Pending')),
    ascending((pod) => (isReady(pod) ? 1 : 0)),
    ascending(deletionCost),
    ascending((pod) => -crowd(pod)),
    ascending((pod) => -readySince(pod)),
    ascending((pod) => -restarts(pod)),
    ascending(({ metadata }) => -time(metadata.creationTimestamp)),
  ]
  return (a, b) => {
    for (const order of orders) {
      const result = order(a, b)
      if (result !== 0) return result
    }
    return a.metadata.name < b.metadata.name ? -1 : 1
  }
}

const PHASES: readonly string[] = ['Pending', 'Unknown', 'Running']

const ascending =
  (value: (pod: Pod) => number): Order =>
  (a, b) =>
    value(a) - value(b)

/** `controller.kubernetes.io/pod-deletion-cost`: what is no 32 bit integer counts as 0. */
const deletionCost = ({ metadata }: Pod): number => {
  const text = metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? ''
  const cost = /^(0|-?[1-9]\d{0,9})$/.test(text) ? Number(text) : 0
  return Math.abs(cost) <= 0x7fff_ffff ? cost : 0
}

const readySince = (pod: Pod): number => (isReady(pod) ? time(readyCondition(pod)?.lastTransitionTime) : 0)

const restarts = ({ status }: Pod): number =>
  Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount))

const time = (text: string | undefined): number => Date.parse(text ?? '') || 0
