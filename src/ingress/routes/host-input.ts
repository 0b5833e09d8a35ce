import type { HTTPIngressPath, Ingress } from '../../api/index.ts'
import type { PathRoute } from '../../l7/table/index.ts'
import type { IngressSettings } from '../annotations/index.ts'

export interface HostInput {
  readonly pattern: string
  /** The host whose rules are taken: another one for an alias. */
  readonly ruleHost: string
  readonly ingresses: readonly Ingress[]
  /** A certificate is served for it. */
  readonly hasTls: boolean
  settings(ingress: Ingress): IngressSettings
}

/** A route as it is put together, with where it came from. */
export interface DraftRoute {
  readonly route: PathRoute
  readonly ingress: Ingress
  /** As the rule has it; canaries find their main rule by these two. */
  readonly rule: Pick<HTTPIngressPath, 'path' | 'pathType'>
}
