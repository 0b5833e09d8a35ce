export { createIptablesBackend, type IptablesBackendOptions } from './backend.ts'
export { iptablesLeftovers } from './cleanup.ts'
