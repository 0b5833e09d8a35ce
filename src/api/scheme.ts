import { deploymentKind } from './apps/deployment/kind.ts'
import { replicaSetKind } from './apps/replicaset/kind.ts'
import { leaseKind } from './coordination/lease/kind.ts'
import { configMapKind } from './core/configmap/kind.ts'
import { endpointsKind } from './core/endpoints/kind.ts'
import { eventKind } from './core/event/kind.ts'
import { namespaceKind } from './core/namespace/kind.ts'
import { nodeKind } from './core/node/kind.ts'
import { podKind } from './core/pod/kind.ts'
import { secretKind } from './core/secret/kind.ts'
import { serviceKind } from './core/service/kind.ts'
import { serviceAccountKind } from './core/serviceaccount/kind.ts'
import { endpointSliceKind } from './discovery/endpointslice/kind.ts'
import { eventsEventKind } from './events/event/kind.ts'
import { extensionsIngressKind } from './extensions/v1beta1/ingress/kind.ts'
import type { Kind } from './kind.ts'
import { ingressKind } from './networking/ingress/kind.ts'
import { ingressClassKind } from './networking/ingressclass/kind.ts'
import { ipAddressKind } from './networking/ipaddress/kind.ts'
import { serviceCIDRKind } from './networking/servicecidr/kind.ts'
import { ingressV1beta1Kind } from './networking/v1beta1/ingress/kind.ts'
import { ingressClassV1beta1Kind } from './networking/v1beta1/ingressclass/kind.ts'
import { tkeServiceConfigKind } from './tencent/tkeserviceconfig/kind.ts'

/**
 * Every kind that the API server serves, in the order of discovery: of a name that two groups have, kubectl takes the first;
 * of a group's versions, the preferred one comes first.
 */
export const scheme: readonly Kind[] = [
  namespaceKind,
  nodeKind,
  podKind,
  serviceKind,
  endpointsKind,
  configMapKind,
  secretKind,
  serviceAccountKind,
  eventKind,
  endpointSliceKind,
  ingressKind,
  ingressClassKind,
  serviceCIDRKind,
  ipAddressKind,
  ingressV1beta1Kind,
  ingressClassV1beta1Kind,
  deploymentKind,
  replicaSetKind,
  leaseKind,
  eventsEventKind,
  extensionsIngressKind,
  tkeServiceConfigKind,
]
