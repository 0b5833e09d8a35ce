import type { Ingress } from '../../../api/index.ts'
import type { Finding } from '../annotation.ts'
import type { Reference } from '../grammar/names.ts'
import { NGINX_PREFIX, type Values } from '../table.ts'

/** The annotations that refer to another object, and of which kind. */
const REFERRING = {
  'auth-secret': 'Secret',
  'auth-tls-secret': 'Secret',
  'proxy-ssl-secret': 'Secret',
  'auth-proxy-set-headers': 'ConfigMap',
  'custom-headers': 'ConfigMap',
} as const

type Referring = keyof typeof REFERRING

const GUARDS = {
  'auth-secret': 'authentication',
  'auth-tls-secret': 'client-certificates',
  'proxy-ssl-secret': undefined,
  'auth-proxy-set-headers': 'authentication',
  'custom-headers': undefined,
} as const

export interface Referred {
  /** Annotation → `namespace/name`; only those of the Ingress's own namespace. */
  readonly secrets: ReadonlyMap<string, string>
  readonly configMaps: ReadonlyMap<string, string>
  readonly findings: readonly Finding[]
}

/** The objects that an Ingress's annotations refer to. Other namespaces' are refused: whoever may write an Ingress may not read those. */
export const referred = (ingress: Ingress, values: Values): Referred => {
  const own = ingress.metadata.namespace ?? ''
  const secrets = new Map<string, string>()
  const configMaps = new Map<string, string>()
  const findings: Finding[] = []
  for (const annotation of Object.keys(REFERRING) as Referring[]) {
    const reference: Reference | undefined = values[annotation]
    if (reference === undefined) continue
    const { namespace = own, name } = reference
    if (namespace === own) {
      if (REFERRING[annotation] === 'Secret') secrets.set(annotation, `${own}/${name}`)
      else configMaps.set(annotation, `${own}/${name}`)
      continue
    }
    const message = `${NGINX_PREFIX}${annotation}: ${REFERRING[annotation]} ${namespace}/${name} is in another namespace than the Ingress`
    const guard = GUARDS[annotation]
    findings.push({ annotation: NGINX_PREFIX + annotation, reason: 'AnnotationInvalid', message, ...(guard && { guard }) })
  }
  return { secrets, configMaps, findings }
}
