export { createEbpfBackend, type EbpfBackendOptions, ebpfLeftovers } from './backend.ts'
export { nothing } from './nothing.ts'
export { type EbpfOffer, type ProbeOptions, probeEbpf } from './probe.ts'
export type { FreeSockets, RemovedEndpoint } from './sockets.ts'
