export { createIpvsBackend, type IpvsBackendOptions } from './backend.ts'
export { type IpvsLeftovers, ipvsLeftovers } from './cleanup.ts'
export { createKernel, type Kernel } from './kernel.ts'
