export { type Audit, type AuditEntry, type AuditInput, type AuditVerdict, auditIngresses } from './audit.ts'
