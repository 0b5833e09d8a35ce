import type { Problem } from '../../kind.ts'
import { dns1123LabelErrors, dns1123SubdomainErrors, httpPathErrors, pathSegmentErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import type { IngressClass, IngressClassParametersReference } from './schema.ts'

const MAX_CONTROLLER_BYTES = 250

/** All problems of an IngressClass; who serves it can't change. */
export const validateIngressClass = (ingressClass: IngressClass, old?: IngressClass): readonly Problem[] => {
  const problems = new Problems()
  const { controller = '', parameters } = ingressClass.spec
  validateController(problems, 'spec.controller', controller)
  if (parameters !== undefined) validateParameters(problems, 'spec.parameters', parameters)
  if (old !== undefined && controller !== (old.spec.controller ?? '')) {
    problems.invalid('spec.controller', controller, 'field is immutable')
  }
  return problems.list
}

/** A domain and a path, such as `example.com/ingress`. */
const validateController = (problems: Problems, path: string, controller: string): void => {
  if (controller === '') {
    problems.required(path)
    return
  }
  if (Buffer.byteLength(controller) > MAX_CONTROLLER_BYTES) problems.tooLong(path, MAX_CONTROLLER_BYTES)
  const slash = controller.indexOf('/')
  const domain = controller.slice(0, Math.max(0, slash))
  const rest = controller.slice(slash + 1)
  if (domain === '' || rest === '') {
    problems.invalid(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')
    return
  }
  problems.invalidEach(path, domain, dns1123SubdomainErrors(domain))
  problems.invalidEach(path, rest, httpPathErrors(rest))
}

const validateParameters = (problems: Problems, path: string, reference: IngressClassParametersReference): void => {
  const { apiGroup, kind, name, scope, namespace } = reference
  if (apiGroup) problems.invalidEach(`${path}.apiGroup`, apiGroup, dns1123SubdomainErrors(apiGroup))
  for (const [field, value] of Object.entries({ kind, name })) {
    if (!value) problems.required(`${path}.${field}`)
    else problems.invalidEach(`${path}.${field}`, value, pathSegmentErrors(value))
  }
  problems.checkOneOf(`${path}.scope`, scope, ['Cluster', 'Namespace'])
  if (scope === 'Namespace' && !namespace) {
    problems.required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'")
  }
  if (namespace === undefined || namespace === '') return
  if (scope === 'Cluster') problems.forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'")
  problems.invalidEach(`${path}.namespace`, namespace, dns1123LabelErrors(namespace))
}
