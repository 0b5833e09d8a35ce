import type { Deployment, Pod, ReplicaSet } from '../../api/index.ts'
import type { Lister } from '../../informers/index.ts'
import { parseKey } from '../loop.ts'
import { selectedBy } from '../selection.ts'

export interface DeploymentListers {
  readonly deployments: Lister<Deployment>
  readonly replicaSets: Lister<ReplicaSet>
  readonly pods: Lister<Pod>
}

export interface DeploymentSnapshot {
  readonly deployment: Deployment
  /** ReplicaSets that it manages, and those that it may adopt. */
  readonly candidates: readonly ReplicaSet[]
  /** Pods of a ReplicaSet that still run or terminate. */
  unfinishedPods(replicaSet: ReplicaSet): number
}

/** The present state around one Deployment; undefined when it is gone. */
export const readSnapshot = (
  key: string,
  { deployments, replicaSets, pods }: DeploymentListers,
): DeploymentSnapshot | undefined => {
  const { namespace, name } = parseKey(key)
  const deployment = deployments.get(namespace, name)
  if (!deployment) return undefined
  const owned = replicaSets.byIndex('controller', deployment.metadata.uid ?? '')
  const selected = selectedBy(replicaSets, namespace, deployment.spec.selector)
  return {
    deployment,
    candidates: [...new Set([...owned, ...selected])],
    unfinishedPods: ({ metadata }) =>
      pods
        .byIndex('controller', metadata.uid ?? '')
        .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed').length,
  }
}
