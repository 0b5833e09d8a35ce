export type { Endpoint, NodePortRange } from './checks.ts'
export { type NodeAddresses, nodePortAddresses } from './node-port-addresses.ts'
export { type ReadConfiguration, readConfiguration } from './read-file.ts'
export { type Flag, readFlags } from './read-flags.ts'
export {
  type ConntrackSettings,
  type PodDetection,
  type ProxySettings,
  type ResolvedSettings,
  resolveSettings,
} from './settings.ts'
export type { Problem, Values } from './values.ts'
