export { type AcmeOptions, type AcmeTiming, createAcme } from './acme.ts'
export type { ServerSettings } from './term.ts'
