import { type Ingress, type IngressClass, ingressKind, type Problem } from '../../../api/index.ts'
import type { Strategy } from '../strategy.ts'

const CLASS_ANNOTATION = 'kubernetes.io/ingress.class'
const DEFAULT_ANNOTATION = 'ingressclass.kubernetes.io/is-default-class'

/** `classes` are the present IngressClasses. */
export const createIngressStrategy = (classes: () => readonly IngressClass[]): Strategy<Ingress> => ({
  kind: ingressKind,
  prepareForCreate: ({ status: _, ...object }) => withDefaultClass({ ...object, status: { loadBalancer: {} } }, classes()),
  prepareForUpdate: (object, old) => ({ ...object, status: old.status }),
  // Two defaults: the client must say which it means (Kubernetes' DefaultIngressClass admission).
  async admit({ object, old }): Promise<readonly Problem[]> {
    if (old !== undefined || !isUnclassed(object) || defaults(classes()).length < 2) return []
    const names = defaults(classes()).map((candidate) => candidate.metadata.name)
    return [
      {
        path: 'spec.ingressClassName',
        type: 'Forbidden',
        detail: `${names.length} default IngressClasses were found, only 1 allowed: ${names.sort().join(', ')}; name the one to use`,
      },
    ]
  },
})

const isUnclassed = ({ metadata, spec }: Ingress): boolean =>
  spec.ingressClassName === undefined && metadata.annotations?.[CLASS_ANNOTATION] === undefined

const defaults = (classes: readonly IngressClass[]): readonly IngressClass[] =>
  classes.filter((candidate) => candidate.metadata.annotations?.[DEFAULT_ANNOTATION] === 'true')

const withDefaultClass = (object: Ingress, classes: readonly IngressClass[]): Ingress => {
  const [only, ...others] = defaults(classes)
  if (!isUnclassed(object) || only === undefined || others.length > 0) return object
  return { ...object, spec: { ...object.spec, ingressClassName: only.metadata.name } }
}
