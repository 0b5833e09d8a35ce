import type { IngressClass } from './schema.ts'

export const setIngressClassDefaults = (ingressClass: IngressClass): IngressClass => {
  const parameters = ingressClass.spec?.parameters
  return {
    ...ingressClass,
    metadata: ingressClass.metadata ?? {},
    spec: {
      ...ingressClass.spec,
      ...(parameters === undefined ? {} : { parameters: { ...parameters, scope: parameters.scope ?? 'Cluster' } }),
    },
  }
}
