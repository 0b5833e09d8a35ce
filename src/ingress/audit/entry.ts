/** As in ingress-nginx, otherwise, without effect, not at all. */
export type AuditVerdict = 'honoured' | 'differs' | 'no-effect' | 'refused'

export interface AuditEntry {
  /** `namespace/name`. */
  readonly ingress: string
  /** An annotation, or the place in the spec. */
  readonly subject: string
  readonly verdict: AuditVerdict
  readonly note: string
}
