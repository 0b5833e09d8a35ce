export type { Backend, Capability, Change, Drift, FrontendRef, FrontendStatus } from './backend.ts'
export { createNftablesBackend, type NftablesBackendOptions } from './backends/nftables/index.ts'
export { createUserspaceBackend, type LocalAddresses, type UserspaceBackendOptions } from './backends/userspace/index.ts'
export { type ExplainedEndpoint, type ExplainQuery, type Explanation, explain } from './explain.ts'
export { type LoopbackNodePortsOptions, withLoopbackNodePorts } from './loopback-node-ports/index.ts'
export {
  type CleanupReport,
  cleanupModes,
  type ModeDeps,
  type ModeName,
  type OpenedBackend,
  openBackend,
  PROXY_MODES,
  type ProxyMode,
} from './modes/index.ts'
export { createProxy, type Proxy, type ProxyOptions } from './proxy.ts'
export type { NodeConfig } from './snapshot.ts'
