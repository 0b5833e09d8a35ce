export { createUserspaceBackend } from './backend.ts'
export type { LocalAddresses } from './local-addresses.ts'
export type { UserspaceBackendOptions } from './options.ts'
