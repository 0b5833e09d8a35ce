import type { HTTPIngressPath, Ingress } from '../../api/index.ts'
import { annotationsOf, usesRegex } from '../annotations/index.ts'
import { keyOf } from '../routes/index.ts'
import type { AuditEntry } from './entry.ts'

interface PlacedPath {
  readonly host: string
  readonly where: string
  readonly path: string
  readonly pathType: HTTPIngressPath['pathType']
}

const pathsOf = (ingress: Ingress): readonly PlacedPath[] =>
  (ingress.spec.rules ?? []).flatMap(({ host, http }, i) =>
    (http?.paths ?? []).map(({ path, pathType }, j) => ({
      host: (host ?? '').toLowerCase(),
      where: `rules[${i}].http.paths[${j}]`,
      path: path || '/',
      pathType,
    })),
  )

const isExpression = (ingress: Ingress): boolean => usesRegex(annotationsOf(ingress).values)

/** Where the paths of an Ingress are matched otherwise than nginx's locations. */
export const pathEntries = (ingress: Ingress, all: readonly Ingress[]): readonly AuditEntry[] => {
  const entry = (subject: string, verdict: AuditEntry['verdict'], note: string): AuditEntry => ({
    ingress: keyOf(ingress),
    subject,
    verdict,
    note,
  })
  const { values } = annotationsOf(ingress)
  const paths = pathsOf(ingress)
  if (isExpression(ingress)) {
    return paths.map(({ where, path, pathType }) =>
      pathType === 'Exact'
        ? entry(
            where,
            'differs',
            `Exact ${JSON.stringify(path)} stays exact; nginx makes it an expression too, which also matches longer paths`,
          )
        : entry(
            where,
            'honoured',
            `${JSON.stringify(path)} is an expression, from the start of the path, without case, as in nginx`,
          ),
    )
  }
  const expressionOn = (host: string): Ingress | undefined =>
    all.find((other) => other !== ingress && isExpression(other) && pathsOf(other).some((each) => each.host === host))
  return paths.flatMap(({ where, path, pathType, host }) => {
    const other = values.canary === true || path === '/' ? undefined : expressionOn(host)
    const shown = JSON.stringify(path)
    return [
      ...(other === undefined
        ? []
        : [
            entry(
              where,
              'differs',
              `${shown} stays plain; nginx makes it an expression without case, because Ingress ${keyOf(other)} has use-regex or rewrite-target on the host`,
            ),
          ]),
      ...(pathType === 'ImplementationSpecific' && path !== '/'
        ? [
            entry(
              where,
              'differs',
              `${shown} is matched by whole elements; in nginx it is a prefix of the text, and takes ${JSON.stringify(`${path}x`)} too`,
            ),
          ]
        : []),
      ...(pathType !== 'Exact' && path !== '/' && path.endsWith('/')
        ? [entry(where, 'differs', `${JSON.stringify(path.slice(0, -1))} is served; nginx answers it with 301 to ${shown}`)]
        : []),
    ]
  })
}
