export type { Backend, Capability, Change, Drift, FrontendRef, FrontendStatus } from './backend.ts'
export { createNftablesBackend, type NftablesBackendOptions } from './backends/nftables/index.ts'
export {
  createLocalAddresses,
  createUserspaceBackend,
  type LocalAddresses,
  type UserspaceBackendOptions,
} from './backends/userspace/index.ts'
export {
  type ConntrackSettings,
  type Endpoint,
  type NodePortRange,
  nodePortAddresses,
  type PodDetection,
  type Problem,
  type ProxySettings,
  readConfiguration,
  readFlags,
  resolveSettings,
} from './config/index.ts'
export { type ExplainedEndpoint, type ExplainQuery, type Explanation, explain } from './explain.ts'
export { parseExplainQuery } from './explain-query.ts'
export { healthEndpoint } from './health/health-endpoint.ts'
export { type HttpServer, openHttpServer } from './health/http-server.ts'
export type { ProxyHealth } from './health/liveness.ts'
export { metricsEndpoint } from './health/metrics-endpoint.ts'
export {
  type LoopbackNodePortsOptions,
  withLoopbackNodePorts,
} from './loopback-node-ports/index.ts'
export {
  type CleanupReport,
  claimOfSharedNames,
  cleanupModes,
  holderOfSharedNames,
  type ModeDeps,
  type ModeName,
  type OpenedBackend,
  openBackend,
  PROXY_MODES,
  type ProxyMode,
  sharesNames,
} from './modes/index.ts'
export { createProxy, type MachineSource, type Proxy, type ProxyOptions } from './proxy.ts'
export type { NodeConfig } from './snapshot.ts'
