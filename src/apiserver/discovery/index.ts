export { createDiscovery, type Discovery, type DiscoveryDocument, type DiscoveryForm } from './documents.ts'
export { negotiateDiscovery } from './negotiate-discovery.ts'
export { type VirtualKind, verbsOf } from './resource.ts'
export { kubernetesVersion, versionInfo } from './version.ts'
