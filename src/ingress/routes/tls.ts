import type { Ingress } from '../../api/index.ts'
import { hostName, hostPattern } from './host-pattern.ts'
import { byAge, keyOf, type RouteProblem } from './problem.ts'

/** One wish of an Ingress: this Secret's certificate for this host. */
export interface TlsWish {
  readonly pattern: string
  /** `namespace/name`. */
  readonly secret: string
}

/**
 * The certificates that an Ingress wishes for. An entry without hosts means the Ingress's own hosts, or every host when it has no rules;
 * one without a Secret asks for nothing beyond the default certificate.
 */
export const tlsWishes = (ingress: Ingress): readonly TlsWish[] =>
  (ingress.spec.tls ?? []).flatMap(({ hosts = [], secretName }) => {
    if (secretName === undefined || secretName === '') return []
    const own = (ingress.spec.rules ?? []).map((rule) => hostPattern(rule.host))
    const patterns = hosts.length > 0 ? hosts.map(hostPattern) : own.length > 0 ? own : ['']
    const secret = `${ingress.metadata.namespace ?? ''}/${secretName}`
    return [...new Set(patterns)].map((pattern) => ({ pattern, secret }))
  })

export interface CompiledTlsHost {
  readonly secret: string | undefined
  readonly problems: readonly RouteProblem[]
}

/** Which Secret's certificate a host gets: the oldest Ingress's; others with another Secret are told. */
export const compileTlsHost = (pattern: string, ingresses: readonly Ingress[]): CompiledTlsHost => {
  const problems: RouteProblem[] = []
  let kept: { readonly secret: string; readonly ingress: string } | undefined
  for (const ingress of [...ingresses].sort(byAge)) {
    for (const wish of tlsWishes(ingress)) {
      if (wish.pattern !== pattern) continue
      kept ??= { secret: wish.secret, ingress: keyOf(ingress) }
      if (kept.secret === wish.secret) continue
      const message = `Secret ${wish.secret} is not used for ${hostName(pattern)}: Ingress ${kept.ingress} has it served with Secret ${kept.secret}`
      problems.push({ ingress: keyOf(ingress), reason: 'CertificateConflict', message })
    }
  }
  return { secret: kept?.secret, problems }
}
