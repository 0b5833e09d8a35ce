import type { ConfigMap, IngressClass } from '../api/index.ts'

/** Where a class keeps its settings. */
export type ClassParameters =
  | { readonly kind: 'none' }
  /** `namespace/name`. */
  | { readonly kind: 'configMap'; readonly key: string }
  | { readonly kind: 'refused'; readonly message: string }

/** `spec.parameters` may name a ConfigMap in a namespace; whatever else it names is not read. */
export const classParameters = ({ spec }: IngressClass): ClassParameters => {
  const { parameters } = spec
  if (parameters === undefined) return { kind: 'none' }
  const { apiGroup = '', kind, name, scope = 'Cluster', namespace } = parameters
  if (apiGroup !== '' || kind !== 'ConfigMap') {
    const what = apiGroup === '' ? kind : `${kind}.${apiGroup}`
    return { kind: 'refused', message: `spec.parameters: a ${what} is not understood; name a ConfigMap (of the core group)` }
  }
  if (scope !== 'Namespace' || namespace === undefined) {
    return { kind: 'refused', message: 'spec.parameters: a ConfigMap needs the scope Namespace, and a namespace' }
  }
  return { kind: 'configMap', key: `${namespace}/${name}` }
}

export interface ParametersProblem {
  readonly reason: 'InvalidParameters' | 'ParametersNotFound' | 'ParametersForbidden' | 'InvalidSettings'
  readonly message: string
}

/** What is wrong with the settings of a class; its Ingresses are served without them. */
export const parametersProblem = (
  ingressClass: IngressClass,
  find: (key: string) => { readonly object: ConfigMap | undefined; readonly refusal: string | undefined },
): ParametersProblem | undefined => {
  const parameters = classParameters(ingressClass)
  if (parameters.kind === 'none') return undefined
  if (parameters.kind === 'refused') return { reason: 'InvalidParameters', message: parameters.message }
  const { object, refusal } = find(parameters.key)
  if (object !== undefined) return undefined
  return refusal === undefined
    ? { reason: 'ParametersNotFound', message: `spec.parameters: ConfigMap ${parameters.key} does not exist` }
    : { reason: 'ParametersForbidden', message: `spec.parameters: ConfigMap ${parameters.key} may not be read: ${refusal}` }
}
