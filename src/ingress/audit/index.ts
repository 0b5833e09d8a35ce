export { type Audit, type AuditInput, auditIngresses } from './audit.ts'
export type { AuditVerdict } from './entry.ts'
