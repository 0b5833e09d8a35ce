export { createUserspaceBackend } from './backend.ts'
export { createLocalAddresses, type LocalAddresses } from './local-addresses.ts'
export type { UserspaceBackendOptions } from './options.ts'
