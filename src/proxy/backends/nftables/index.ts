export { createNftablesBackend, type NftablesBackendOptions } from './backend.ts'
