export { type AcmeOptions, type AcmeTiming, createAcme } from './acme.ts'
export { readAcmeServer, type ServerFlags } from './read-server.ts'
export type { ServerSettings } from './term.ts'
