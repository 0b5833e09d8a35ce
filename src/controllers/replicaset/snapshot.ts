import type { LabelSelector, Pod, ReplicaSet } from '../../api/index.ts'
import type { Lister } from '../../informers/index.ts'
import { parseKey } from '../loop.ts'
import { selectedBy } from '../selection.ts'

export interface ReplicaSetListers {
  readonly replicaSets: Lister<ReplicaSet>
  readonly pods: Lister<Pod>
}

export interface ReplicaSetSnapshot {
  readonly replicaSet: ReplicaSet
  /** Pods that it manages, and pods that it may adopt. */
  readonly candidates: readonly Pod[]
  /** How many active pods of the same Deployment are on each node. */
  readonly neighbours: ReadonlyMap<string, number>
}

/** The present state around one ReplicaSet; undefined when it is gone. */
export const readSnapshot = (key: string, { replicaSets, pods }: ReplicaSetListers): ReplicaSetSnapshot | undefined => {
  const { namespace, name } = parseKey(key)
  const replicaSet = replicaSets.get(namespace, name)
  if (!replicaSet) return undefined
  const { uid = '', ownerReferences } = replicaSet.metadata
  const selector: LabelSelector = replicaSet.spec.selector
  const candidates = new Set([...pods.byIndex('controller', uid), ...selectedBy(pods, namespace, selector)])
  const deployment = ownerReferences?.find(({ controller }) => controller)?.uid
  const siblings = deployment === undefined ? [replicaSet] : replicaSets.byIndex('controller', deployment)
  const neighbours = new Map<string, number>()
  for (const sibling of siblings) {
    for (const { spec, metadata } of pods.byIndex('controller', sibling.metadata.uid ?? '')) {
      if (metadata.deletionTimestamp === undefined && spec.nodeName)
        neighbours.set(spec.nodeName, (neighbours.get(spec.nodeName) ?? 0) + 1)
    }
  }
  return { replicaSet, candidates: [...candidates], neighbours }
}
