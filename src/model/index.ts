export { canonical } from './address.ts'
export { type Candidate, decide, isAllowed, type Matched, type Packet, type Verdict } from './decide.ts'
export { serviceEssence, sliceEssence } from './essence.ts'
export {
  type AllowedSources,
  type ChosenBecause,
  type Conditions,
  type Forwarding,
  type ForwardingProblem,
  type Frontend,
  type FrontendKind,
  forwardingKey,
  type HealthCheck,
  type IgnoredBecause,
  type IgnoredEndpoint,
  isChosen,
  type JudgedEndpoint,
  type Judgement,
  type NodeView,
  type NotChosenBecause,
  type NotForwarded,
  type PodRef,
  type PortForwarding,
  type Protocol,
  type Route,
  type RouteReason,
  type SourceClass,
  type Target,
} from './forwarding.ts'
export { type PortReference, type ResolvedPort, resolveServicePort } from './resolve-port.ts'
export { SERVICE_PROXY_NAME_LABEL, type ServiceInput, type ServiceMeaning, serviceForwarding } from './service-forwarding.ts'
export {
  conditionsOf,
  type PortEndpoints,
  portEndpoints,
  SERVICE_NAME_LABEL,
  type SliceEndpoint,
  serviceOfSlice,
  sliceIndexes,
} from './slice-endpoints.ts'
export { sourceClassifier } from './source-class.ts'
export { type UsableEndpoints, usableEndpoints } from './usable-endpoints.ts'
