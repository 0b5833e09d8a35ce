export { type Allocators, type AllocatorsOptions, createAllocators } from './allocators/index.ts'
export { type BootstrapOptions, bootstrap } from './bootstrap/index.ts'
export {
  type Certificates,
  type CertificatesOptions,
  type ClientIdentity,
  type KeyPair,
  type KubeconfigOptions,
  kubeconfigText,
  openCertificates,
  writeKubeconfig,
} from './certificates/index.ts'
export type { Listening } from './http/listen.ts'
export { ipAddressStrategy } from './registry/ipaddress/index.ts'
export { createServiceStrategy, type ServiceStrategyOptions } from './registry/service/index.ts'
export {
  createServiceCIDRFinalizer,
  type ServiceCIDRFinalizerOptions,
  serviceCidrStrategy,
} from './registry/servicecidr/index.ts'
export type { AdmitRequest, Plan, PlanRequest, Strategy } from './registry/strategy.ts'
export { type ApiServer, type ApiServerOptions, createApiServer, type ListenRequest, type StartHook } from './server.ts'
