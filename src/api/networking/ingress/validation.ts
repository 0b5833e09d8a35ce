import { readAddress } from '../../../ip/index.ts'
import type { Problem } from '../../kind.ts'
import { addressErrors } from '../../meta/ip-fields.ts'
import { dns1123SubdomainErrors, wildcardSubdomainErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import { validateIngressBackend } from './backend-validation.ts'
import { validateIngressPath } from './path-validation.ts'
import type { Ingress, IngressRule, IngressSpec, IngressTLS } from './schema.ts'

export const INGRESS_CLASS_ANNOTATION = 'kubernetes.io/ingress.class'

/** All problems of an Ingress. Secret names and wildcard rules that were stored before don't block an unrelated change. */
export const validateIngress = (ingress: Ingress, old?: Ingress): readonly Problem[] => {
  const problems = new Problems()
  const { spec } = ingress
  const rules = spec.rules ?? []
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    problems.invalid('spec', [], 'either `defaultBackend` or `rules` must be specified')
  }
  if (spec.defaultBackend !== undefined) validateIngressBackend(problems, 'spec.defaultBackend', spec.defaultBackend)
  const tolerated = { wildcardRules: hasInvalidWildcardRule(old?.spec), secretNames: hasInvalidSecretName(old?.spec) }
  for (const [index, rule] of rules.entries()) {
    validateRule(problems, `spec.rules[${index}]`, { rule, tolerateWildcard: tolerated.wildcardRules })
  }
  for (const [index, tls] of (spec.tls ?? []).entries()) {
    validateTLS(problems, `spec.tls[${index}]`, { tls, tolerateSecretName: tolerated.secretNames })
  }
  if (spec.ingressClassName !== undefined) {
    problems.invalidEach('spec.ingressClassName', spec.ingressClassName, dns1123SubdomainErrors(spec.ingressClassName))
  }
  if (old === undefined) validateClassAnnotation(problems, ingress)
  validateStatus(problems, ingress, old)
  return problems.list
}

/** Only when new: an Ingress that came to have both keeps them. */
const validateClassAnnotation = (problems: Problems, { metadata, spec }: Ingress): void => {
  const annotation = metadata.annotations?.[INGRESS_CLASS_ANNOTATION]
  if (annotation !== undefined && spec.ingressClassName !== undefined && annotation !== spec.ingressClassName) {
    const path = `metadata.annotations[${INGRESS_CLASS_ANNOTATION}]`
    problems.invalid(path, annotation, 'must match `ingressClassName` when both are specified')
  }
}

const hostErrors = (host: string): readonly string[] =>
  host.includes('*') ? wildcardSubdomainErrors(host) : dns1123SubdomainErrors(host)

const validateRule = (
  problems: Problems,
  path: string,
  { rule, tolerateWildcard }: { readonly rule: IngressRule; readonly tolerateWildcard: boolean },
): void => {
  const host = rule.host ?? ''
  if (host !== '') {
    if (readAddress(host) !== undefined) problems.invalid(`${path}.host`, host, 'must be a DNS name, not an IP address')
    problems.invalidEach(`${path}.host`, host, hostErrors(host))
  }
  if (rule.http === undefined || (tolerateWildcard && host.includes('*'))) return
  const paths = rule.http.paths ?? []
  if (paths.length === 0) problems.required(`${path}.http.paths`)
  for (const [index, each] of paths.entries()) validateIngressPath(problems, `${path}.http.paths[${index}]`, each)
}

const validateTLS = (
  problems: Problems,
  path: string,
  { tls, tolerateSecretName }: { readonly tls: IngressTLS; readonly tolerateSecretName: boolean },
): void => {
  for (const [index, host] of (tls.hosts ?? []).entries()) {
    problems.invalidEach(`${path}.hosts[${index}]`, host, hostErrors(host))
  }
  const secretName = tls.secretName ?? ''
  if (secretName !== '' && !tolerateSecretName) {
    problems.invalidEach(`${path}.secretName`, secretName, dns1123SubdomainErrors(secretName))
  }
}

const hasInvalidSecretName = (spec: IngressSpec | undefined): boolean =>
  (spec?.tls ?? []).some(({ secretName = '' }) => secretName !== '' && dns1123SubdomainErrors(secretName).length > 0)

const hasInvalidWildcardRule = (spec: IngressSpec | undefined): boolean => {
  const problems = new Problems()
  for (const rule of spec?.rules ?? []) {
    if (rule.host?.includes('*')) validateRule(problems, '', { rule: { http: rule.http }, tolerateWildcard: false })
  }
  return problems.count > 0
}

const validateStatus = (problems: Problems, { status }: Ingress, old: Ingress | undefined): void => {
  const ingress = status?.loadBalancer?.ingress ?? []
  const stored = old?.status?.loadBalancer?.ingress ?? []
  if (sameValue(ingress, stored)) return
  const storedIPs = stored.flatMap(({ ip }) => (ip === undefined ? [] : [ip]))
  for (const [index, { ip = '', hostname = '' }] of ingress.entries()) {
    const path = `status.loadBalancer.ingress[${index}]`
    if (ip !== '') problems.invalidEach(`${path}.ip`, ip, addressErrors(ip, storedIPs))
    if (hostname === '') continue
    problems.invalidEach(`${path}.hostname`, hostname, dns1123SubdomainErrors(hostname))
    if (readAddress(hostname) !== undefined) {
      problems.invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address')
    }
  }
}
