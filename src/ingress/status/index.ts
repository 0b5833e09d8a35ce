export type { StatusEntries } from './desired.ts'
export { type Published, publishEntries, publishService } from './published.ts'
export { createIngressStatus, type IngressStatusOptions } from './status.ts'
