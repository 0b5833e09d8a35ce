export {
  type AcmeOptions,
  createAcme,
  readAcmeServer,
  type ServerFlags as AcmeServerFlags,
  type ServerSettings as AcmeServerSettings,
} from './acme/index.ts'
export { type Audit, type AuditInput, type AuditVerdict, auditIngresses } from './audit/index.ts'
export type { ExplainedRoute, Explanation } from './explain.ts'
export { classConfig, createIngress, type IngressController, type IngressOptions } from './ingress.ts'
export { type ClassConfig, CONTROLLER_NAME } from './routes/index.ts'
export type { RouteProblem, RouteProblemReason } from './routes/problem.ts'
export type { IngressInformers, ReferencedObjects } from './snapshot.ts'
export {
  createIngressStatus,
  type IngressStatusOptions,
  type Published,
  publishEntries,
  publishService,
  type StatusEntries,
} from './status/index.ts'
export { createStreamEngine, createStreams, type StreamEngine } from './streams/index.ts'
