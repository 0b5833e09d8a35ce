import { type Node, sameValue } from '../api/index.ts'
import type { Informer } from '../informers/index.ts'
import type { TargetNode } from './provider.ts'

/** {@link targetNodes} of a cache, made once for each change that matters: nodes tell every few minutes that they live, and every load balancer asks. */
export interface TargetNodes {
  list(): readonly TargetNode[]
  /** `handler` is called when the list is another; returns how to stop. */
  onChange(handler: () => void): () => void
}

export const createTargetNodes = (nodes: Pick<Informer<Node>, 'list' | 'onChange'>): TargetNodes => {
  let known: readonly TargetNode[] | undefined
  return {
    list() {
      known ??= targetNodes(nodes.list())
      return known
    },
    onChange: (handler) =>
      nodes.onChange((change) => {
        if (change.type === 'updated' && sameValue(targetNodes([change.previous]), targetNodes([change.object]))) return
        if (change.type !== 'updated' && !isEligible(change.object)) return
        known = undefined
        handler()
      }),
  }
}

const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers'
const TO_BE_DELETED_TAINT = 'ToBeDeletedByClusterAutoscaler'

/** The nodes that load balancers may use, by name: KEP-3458 keeps those that are not ready or cordoned, since health checks tell better and faster. */
export const targetNodes = (nodes: readonly Node[]): readonly TargetNode[] =>
  nodes
    .filter(isEligible)
    .map(targetNode)
    .sort((a, b) => (a.name < b.name ? -1 : 1))

/** Whether a node may be a target: not excluded by label (of any value), not being deleted, by itself or by the autoscaler. */
const isEligible = ({ metadata, spec }: Node): boolean =>
  metadata.deletionTimestamp === undefined &&
  metadata.labels?.[EXCLUDE_LABEL] === undefined &&
  !(spec?.taints ?? []).some(({ key }) => key === TO_BE_DELETED_TAINT)

const targetNode = ({ metadata, spec, status }: Node): TargetNode => ({
  name: metadata.name,
  providerID: spec?.providerID || undefined,
  addresses: (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
  labels: metadata.labels ?? {},
  isReady: (status?.conditions ?? []).some(({ type, status: state }) => type === 'Ready' && state === 'True'),
  isUnschedulable: spec?.unschedulable === true,
})
