export { createEbpfBackend, type EbpfBackendOptions, ebpfLeftovers } from './backend.ts'
export { type EbpfOffer, type ProbeOptions, probeEbpf } from './probe.ts'
export type { RemovedEndpoint } from './sockets.ts'
