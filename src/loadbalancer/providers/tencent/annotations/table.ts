import { CHARGE_TYPES, extensiveParameters } from './creation.ts'
import { nodeSelector } from './node-selector.ts'
import { specifiedProtocols } from './protocols.ts'
import { anything, flag, idOf, listOf, oneOf, type Parser, type Reading, value, wholeNumber, wrong } from './reading.ts'
import { customWeights } from './weights.ts'

/** What becomes of an annotation. At creation only: an edit later is told and changes nothing. */
type Treatment = 'honoured' | 'at-creation' | 'read-only' | 'refused'

export interface Annotation<T> {
  readonly key: string
  readonly parse: Parser<T>
  readonly treatment: Treatment
  /** What it does, or why it is refused. */
  readonly note: string
  /**
   * What a value that is not understood stands in the way of: making a load balancer that may be wrong (`creation`), or any change for this Service (`all`).
   * Else it counts as not set.
   */
  readonly blocks?: 'creation' | 'all'
}

const K8S = 'service.kubernetes.io/'
export const TENCENT_PREFIX = 'service.cloud.tencent.com/'

const honoured = <T>(key: string, parse: Parser<T>, note: string, blocks?: Annotation<T>['blocks']): Annotation<T> => ({
  key,
  parse,
  treatment: 'honoured',
  note,
  ...(blocks && { blocks }),
})
const atCreation = <T>(key: string, parse: Parser<T>, note: string): Annotation<T> => ({
  key,
  parse,
  treatment: 'at-creation',
  note,
  blocks: 'creation',
})
const readOnly = (key: string, note: string): Annotation<string> => ({ key, parse: anything, treatment: 'read-only', note })
const refused = (key: string, note: string, blocks?: 'creation'): Annotation<never> => ({
  key,
  parse: () => wrong(note),
  treatment: 'refused',
  note,
  ...(blocks && { blocks }),
})

/** Switches that are off in one way only: "false" is what is done anyway. */
const refusedTrue = (key: string, note: string): Annotation<false> => ({
  key,
  parse: (text): Reading<false> =>
    text === 'false' ? value(false) : wrong(text === 'true' ? note : 'must be "true" or "false"'),
  treatment: 'refused',
  note,
})

const typeOfClb: Parser<'yunapiv3_forward_clb'> = (text) => {
  if (text === 'classic' || text === 'yunapi_clb') return wrong('classic load balancers are not made any more')
  return oneOf('yunapiv3_forward_clb')(text)
}

const configName: Parser<string> = (text) => {
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text))
    return wrong('must be the name of a TkeServiceConfig in this namespace')
  return /-auto-(service|ingress)-config$/.test(text)
    ? wrong('must not end in -auto-service-config or -auto-ingress-config')
    : value(text)
}

/** Every annotation of a Service that TKE's service controller knows. */
export const ANNOTATIONS = {
  existedId: honoured(`${K8S}tke-existed-lbid`, idOf('lb'), 'uses this load balancer, which is never deleted', 'creation'),
  shareExisted: honoured(`${K8S}qcloud-share-existed-lb`, flag, 'load balancers of one `tke-existed-lbid` are shared anyway'),
  subnetId: atCreation(`${K8S}qcloud-loadbalancer-internal-subnetid`, idOf('subnet'), 'internal, with an address of this subnet'),
  chargeType: atCreation(`${K8S}qcloud-loadbalancer-internet-charge-type`, oneOf(...CHARGE_TYPES), 'how public traffic is paid'),
  bandwidth: atCreation(`${K8S}qcloud-loadbalancer-internet-max-bandwidth-out`, wholeNumber(1, 2_048), 'Mbps of public traffic'),
  oldChargeType: atCreation('kubernetes.io/service.internetChargeType', oneOf(...CHARGE_TYPES), 'older name of the charge type'),
  oldBandwidth: atCreation('kubernetes.io/service.internetMaxBandwidthOut', wholeNumber(1, 2_048), 'older name of the bandwidth'),
  extensive: atCreation(`${K8S}service.extensiveParameters`, extensiveParameters, 'fields of CreateLoadBalancer'),
  clbType: atCreation(`${K8S}loadbalance-type`, typeOfClb, 'only `yunapiv3_forward_clb`, which is what is made'),
  directAccess: honoured(`${TENCENT_PREFIX}direct-access`, flag, 'targets are pods instead of node ports', 'all'),
  backendsLabel: honoured(
    `${K8S}qcloud-loadbalancer-backends-label`,
    nodeSelector,
    'only nodes with these labels; none that match: told, and the targets stay',
  ),
  onlyNodesWithPod: honoured(`${K8S}local-svc-only-bind-node-with-pod`, flag, 'with policy Local: only nodes with pods'),
  weightByPods: honoured(
    `${TENCENT_PREFIX}local-svc-weighted-balance`,
    flag,
    'weight of a node is the number of its pods; with the one before',
  ),
  weights: honoured(
    `${TENCENT_PREFIX}lb-rs-weight`,
    customWeights,
    'weights, also by the ordinal of StatefulSets (with pods as targets)',
  ),
  protocols: honoured(
    `${TENCENT_PREFIX}specify-protocol`,
    specifiedProtocols,
    'protocols of listeners, with certificates and hosts',
    'all',
  ),
  config: honoured(
    `${TENCENT_PREFIX}tke-service-config`,
    configName,
    'health check, session and scheduler from a TkeServiceConfig',
  ),
  autoConfig: refusedTrue(
    `${TENCENT_PREFIX}tke-service-config-auto`,
    'no TkeServiceConfig is written here; write one and name it in tke-service-config',
  ),
  graceShutdown: honoured(`${TENCENT_PREFIX}enable-grace-shutdown`, flag, 'weight 0 before a pod leaves; on unless "false"'),
  graceNotReady: honoured(
    `${TENCENT_PREFIX}enable-grace-shutdown-tkex`,
    flag,
    'weight 0 for pods that are not ready; on unless "false"',
  ),
  graceDeletion: refusedTrue(`${TENCENT_PREFIX}enable-grace-deletion`, 'needs a kubelet that waits for the load balancer'),
  targetGroups: refused(`${TENCENT_PREFIX}target-groups`, 'target groups are not supported', 'creation'),
  securityGroups: honoured(
    `${TENCENT_PREFIX}security-groups`,
    listOf(idOf('sg'), 5),
    'the whole set; empty unbinds all',
    'creation',
  ),
  passToTarget: honoured(`${TENCENT_PREFIX}pass-to-target`, flag, 'traffic passes the security groups of targets'),
  preventLoopback: honoured(`${TENCENT_PREFIX}prevent-loopback`, flag, 'health checks come from 100.64.0.0/10'),
  mode: honoured(
    `${TENCENT_PREFIX}mode`,
    oneOf('skip'),
    'nothing is changed in the cloud for this Service, not even when it goes',
    'all',
  ),
  retain: honoured(`${TENCENT_PREFIX}loadbalance-retain`, flag, 'the load balancer stays when the Service goes'),
  crossRegion: refused(`${TENCENT_PREFIX}cross-region-id`, 'one controller is for one region', 'creation'),
  crossVpc: refused(`${TENCENT_PREFIX}cross-vpc-id`, 'one controller is for one VPC', 'creation'),
  modificationProtection: refusedTrue(
    `${TENCENT_PREFIX}modification-protection`,
    'the cloud has no public call for it; what is edited by hand is put right',
  ),
  deletionProtection: refusedTrue(
    `${TENCENT_PREFIX}deletion-protection`,
    'not for Services; protect the load balancer itself, or tag it tke-lifecycle-owner=user',
  ),
  listenerParameters: refused(`${K8S}service.listenerParameters`, 'use a TkeServiceConfig'),
  loadBalancerId: readOnly(`${K8S}loadbalance-id`, 'the load balancer in use'),
  natIPv6: readOnly(`${K8S}loadbalance-nat-ipv6`, 'not written here'),
  clientToken: readOnly(`${TENCENT_PREFIX}client-token`, 'not written here; the placement has the token'),
  syncBegin: readOnly(`${TENCENT_PREFIX}sync-begin-time`, 'not written here: it would wake every watcher'),
  syncEnd: readOnly(`${TENCENT_PREFIX}sync-end-time`, 'not written here: it would wake every watcher'),
  sourceEndpoints: readOnly(`${TENCENT_PREFIX}loadbalancer-source-endpoints`, 'not written here'),
  conditions: readOnly(`${TENCENT_PREFIX}status.conditions`, 'not written here; the conditions are in the status'),
  clusterId: readOnly(`${K8S}qcloud-loadbalancer-clusterid`, 'written by the console, without effect'),
}
