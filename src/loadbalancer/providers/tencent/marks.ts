import type { LoadBalancerInfo } from './client/index.ts'

/** How a load balancer and its listeners say whose they are: tags and names as TKE writes them. */
export const CREATED_BY_TAG = 'tke-createdBy-flag'
export const CLUSTER_TAG = 'tke-clusterId'
const LIFECYCLE_TAG = 'tke-lifecycle-owner'
export const SERVICE_TAG = 'tke-lb-serviceuuid'
const INGRESS_TAG = 'tke-lb-ingress-uuid'
/** Ours: which life of the load balancer this is. */
export const TOKEN_TAG = 'fairway-token'

const LISTENER_PREFIX = 'TKE-LISTENER.'

/** The name of every listener of a Service; one that is called otherwise is not touched. */
export const listenerName = (uid: string): string => `${LISTENER_PREFIX}${uid}`

const OWN = 'service/'
const EXISTING = 'clb/'

export const ownKey = (uid: string): string => `${OWN}${uid}`
export const existingKey = (id: string): string => `${EXISTING}${id}`

/** What a key stands for: a load balancer that is made for one Service, or one that the user has. */
export type KeyMeaning =
  | { readonly kind: 'own'; readonly uid: string }
  | { readonly kind: 'existing'; readonly id: string }
  | { readonly kind: 'unknown' }

export const meaningOf = (key: string): KeyMeaning => {
  if (key.startsWith(OWN)) return { kind: 'own', uid: key.slice(OWN.length) }
  if (key.startsWith(EXISTING)) return { kind: 'existing', id: key.slice(EXISTING.length) }
  return { kind: 'unknown' }
}

/** The key that a load balancer's marks stand for. */
export const keyOf = ({ id, tags }: Pick<LoadBalancerInfo, 'id' | 'tags'>): string => {
  const uid = tags[SERVICE_TAG]
  return uid === undefined ? existingKey(id) : ownKey(uid)
}

export const creationTags = (owner: { readonly uid: string; readonly clusterId: string; readonly token: string }) => ({
  [CREATED_BY_TAG]: 'yes',
  [CLUSTER_TAG]: owner.clusterId,
  [LIFECYCLE_TAG]: 'tke',
  [SERVICE_TAG]: owner.uid,
  [TOKEN_TAG]: owner.token,
})

/** Why a load balancer must outlive its Service; undefined when it may be deleted. */
export const keptBecause = (
  info: LoadBalancerInfo,
  owner: { readonly uid: string; readonly clusterId: string },
): string | undefined => {
  const { tags } = info
  if (tags[CREATED_BY_TAG] !== 'yes') return `it has no tag ${CREATED_BY_TAG}=yes`
  if (tags[CLUSTER_TAG] !== owner.clusterId) return `its tag ${CLUSTER_TAG} is not ${owner.clusterId}`
  if (tags[SERVICE_TAG] !== owner.uid) return `its tag ${SERVICE_TAG} is not ${owner.uid}`
  if (tags[LIFECYCLE_TAG] === 'user') return `its tag ${LIFECYCLE_TAG} is user`
  if (info.hasEndpoint) return 'it serves a private link'
  if (info.isProtected) return 'it is protected from deletion'
  if (info.isPrepaid) return 'it is prepaid'
  return undefined
}

/** Why a load balancer that the user named cannot be used; undefined when it can. */
export const unusableBecause = (
  info: LoadBalancerInfo,
  { clusterId, vpcId }: { readonly clusterId: string; readonly vpcId: string | undefined },
): string | undefined => {
  const { tags } = info
  if (info.isClassic) return 'it is a classic one'
  if (tags[SERVICE_TAG] !== undefined || tags[INGRESS_TAG] !== undefined) return 'it was made for another Service or Ingress'
  if (tags[CREATED_BY_TAG] === 'yes' && tags[LIFECYCLE_TAG] !== 'user') return `it was made by TKE (${CREATED_BY_TAG}=yes)`
  const cluster = tags[CLUSTER_TAG]
  if (cluster !== undefined && cluster !== clusterId) return `the cluster ${cluster} uses it`
  if (vpcId !== undefined && info.vpcId !== undefined && info.vpcId !== vpcId)
    return `it is in ${info.vpcId}, and the cluster in ${vpcId}`
  return undefined
}
