export { createUserspaceBackend, type UserspaceBackendOptions } from './backend.ts'
export type { LocalAddresses } from './local-addresses.ts'
