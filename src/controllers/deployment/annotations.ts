import type { Deployment, ReplicaSet } from '../../api/index.ts'

export const REVISION = 'deployment.kubernetes.io/revision'
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history'
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas'
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas'
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
const HISTORY_LIMIT = 2000

/** What a ReplicaSet keeps for itself or must not get from its Deployment. */
const OWN: ReadonlySet<string> = new Set([REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, LAST_APPLIED])

type Annotations = Readonly<Record<string, string>>

/** The revision of a ReplicaSet, 0 when it has none. */
export const revisionOf = ({ metadata }: ReplicaSet): number => {
  const text = metadata.annotations?.[REVISION] ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}

/** A count that an earlier round noted on a ReplicaSet. */
export const notedCount = (
  { metadata }: ReplicaSet,
  annotation: typeof DESIRED_REPLICAS | typeof MAX_REPLICAS,
): number | undefined => {
  const text = metadata.annotations?.[annotation] ?? ''
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

/** The annotations of the current ReplicaSet: the Deployment's (such as `kubernetes.io/change-cause`) and its revision. */
export const currentAnnotations = (deployment: Deployment, known: Annotations | undefined, revision: number): Annotations => {
  const inherited = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !OWN.has(key))
  const before = known?.[REVISION]
  const history = known?.[REVISION_HISTORY]
  const merged = { ...known, ...Object.fromEntries(inherited) }
  if (before === String(revision)) return merged
  return { ...merged, [REVISION]: String(revision), ...(before === undefined ? {} : historyWith(history, before)) }
}

const historyWith = (history: string | undefined, before: string): Annotations => {
  const entries = [...(history ? history.split(',') : []), before]
  while (entries.join().length > HISTORY_LIMIT) entries.shift()
  return { [REVISION_HISTORY]: entries.join() }
}
