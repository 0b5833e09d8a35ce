import type { Logger } from '../../../base/index.ts'
import type { Call, DesiredLoadBalancer } from '../../provider.ts'
import { type CloudApi, isCloudError, type LoadBalancerInfo } from './client/index.ts'
import { CLUSTER_TAG, keptBecause, listenerName, meaningOf, SERVICE_TAG, TOKEN_TAG } from './marks.ts'
import type { OwnerView } from './owner-view.ts'
import { ID_ANNOTATION, RECORD_ANNOTATION } from './record.ts'

export interface RemoveInput {
  readonly desired: DesiredLoadBalancer
  readonly views: readonly OwnerView[]
  /** Undefined when there is none any more. */
  readonly info: LoadBalancerInfo | undefined
}

/** Deletes the load balancer that was made for a Service; of one that stays, only what is ours. What is not there any more counts as taken away. */
export const remove = async (
  deps: { readonly api: CloudApi; readonly log: Logger },
  input: RemoveInput,
  call: Call,
): Promise<void> => {
  const { desired, views, info } = input
  if (info !== undefined) {
    const kept = staysBecause(input, info)
    if (kept === undefined) await deleteIfThere(deps.api, info.id, call.signal)
    else {
      deps.log.info('load balancer stays', { loadBalancer: info.id, key: desired.key, reason: kept })
      await leave(deps.api, info, input, call.signal)
    }
  }
  for (const { owner } of views) {
    const isNoted = RECORD_ANNOTATION in owner.annotations || ID_ANNOTATION in owner.annotations
    if (isNoted) await call.notes.write(owner.uid, { [RECORD_ANNOTATION]: null, [ID_ANNOTATION]: null })
  }
}

const staysBecause = ({ desired, views }: RemoveInput, info: LoadBalancerInfo): string | undefined => {
  const meaning = meaningOf(desired.key)
  if (meaning.kind !== 'own') return 'it is the user’s'
  if (views.some(({ isSkipped }) => isSkipped)) return 'its Service is in mode skip'
  if (views.some(({ settings }) => settings.retain === true)) return 'its Service says that it is to be retained'
  return keptBecause(info, { uid: meaning.uid, clusterId: desired.clusterId })
}

const deleteIfThere = async (api: CloudApi, id: string, signal: AbortSignal): Promise<void> => {
  try {
    await api.deleteLoadBalancer(id, signal)
  } catch (error) {
    if (!isCloudError(error, 'gone')) throw error
  }
}

/** Takes away listeners that are called as ours are, then the mark of this cluster where it still is this cluster's. */
const leave = async (
  api: CloudApi,
  info: LoadBalancerInfo,
  { desired, views }: RemoveInput,
  signal: AbortSignal,
): Promise<void> => {
  if (views.some(({ isSkipped }) => isSkipped)) return
  const names = new Set(views.map(({ owner }) => listenerName(owner.uid)))
  const ours = (await api.listListeners(info.id, signal)).filter(({ name }) => names.has(name))
  await api.deleteListeners(
    info.id,
    ours.map(({ id }) => id),
    signal,
  )
  if (info.tags[CLUSTER_TAG] !== desired.clusterId) return
  const uid = info.tags[SERVICE_TAG]
  const isTheirs = uid !== undefined && !views.some(({ owner }) => owner.uid === uid)
  if (isTheirs) return
  await api.untagLoadBalancer(
    info.id,
    [CLUSTER_TAG, SERVICE_TAG, TOKEN_TAG].filter((tag) => tag in info.tags),
    signal,
  )
}
