import type { Ingress, IngressBackend, IngressRule, ServiceBackendPort } from '../../ingress/schema.ts'
import type { IngressBackendV1beta1, IngressRuleV1beta1, IngressV1beta1 } from './schema.ts'

/** The old shape as `networking.k8s.io/v1`, the one that is stored. */
export const ingressToHub = ({ apiVersion: _, spec, ...rest }: IngressV1beta1): Ingress => {
  const { backend, rules, ...others } = spec ?? {}
  return {
    ...rest,
    apiVersion: 'networking.k8s.io/v1',
    spec: {
      ...others,
      ...(backend === undefined ? {} : { defaultBackend: backendToHub(backend) }),
      ...(rules === undefined ? {} : { rules: rules.map(ruleToHub) }),
    },
  }
}

/** A stored Ingress in the old shape, for one of the two groups that have it. */
export const ingressFromHub = ({ spec, ...rest }: Ingress, apiVersion: string): IngressV1beta1 => {
  const { defaultBackend, rules, ...others } = spec ?? {}
  return {
    ...rest,
    apiVersion,
    spec: {
      ...others,
      ...(defaultBackend === undefined ? {} : { backend: backendFromHub(defaultBackend) }),
      ...(rules === undefined ? {} : { rules: rules.map(ruleFromHub) }),
    },
  }
}

/** A path without a type says nothing of how it is matched. */
export const setIngressV1beta1Defaults = (ingress: IngressV1beta1): IngressV1beta1 => ({
  ...ingress,
  metadata: ingress.metadata ?? {},
  spec: {
    ...ingress.spec,
    ...(ingress.spec?.rules === undefined
      ? {}
      : {
          rules: ingress.spec.rules.map((rule) =>
            rule.http === undefined
              ? rule
              : {
                  ...rule,
                  http: {
                    ...rule.http,
                    paths: (rule.http.paths ?? []).map((path) => ({
                      ...path,
                      pathType: path.pathType || 'ImplementationSpecific',
                    })),
                  },
                },
          ),
        }),
  },
})

const ruleToHub = ({ http, ...rule }: IngressRuleV1beta1): IngressRule =>
  http === undefined
    ? rule
    : { ...rule, http: { ...http, paths: (http.paths ?? []).map((path) => ({ ...path, backend: backendToHub(path.backend) })) } }

const ruleFromHub = ({ http, ...rule }: IngressRule): IngressRuleV1beta1 =>
  http === undefined
    ? rule
    : { ...rule, http: { ...http, paths: http.paths.map((path) => ({ ...path, backend: backendFromHub(path.backend) })) } }

const backendToHub = ({ serviceName = '', servicePort, ...rest }: IngressBackendV1beta1): IngressBackend =>
  serviceName === '' && servicePort === undefined
    ? rest
    : { ...rest, service: { name: serviceName, ...(servicePort === undefined ? {} : { port: portToHub(servicePort) }) } }

const portToHub = (servicePort: number | string): ServiceBackendPort =>
  typeof servicePort === 'number' ? { number: servicePort } : { name: servicePort }

const backendFromHub = ({ service, ...rest }: IngressBackend): IngressBackendV1beta1 => {
  if (service === undefined) return rest
  const servicePort = service.port?.name || service.port?.number
  return { ...rest, serviceName: service.name, ...(servicePort === undefined ? {} : { servicePort }) }
}
