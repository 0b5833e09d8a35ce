import { readAddress } from '../../../ip/index.ts'
import { addressErrors } from '../../meta/ip-fields.ts'
import { dns1123SubdomainErrors } from '../../meta/names.ts'
import type { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import type { LoadBalancerIngress, Service } from './schema.ts'

/** Reports what is wrong with the published addresses, unless they are those that were stored before. */
export const validateServiceStatus = (problems: Problems, service: Service, old: Service | undefined): void => {
  const ingress = service.status?.loadBalancer?.ingress ?? []
  const stored = old?.status?.loadBalancer?.ingress
  if (ingress.length === 0 || sameValue(ingress, stored)) return
  const path = 'status.loadBalancer.ingress'
  if (service.spec.type !== 'LoadBalancer') {
    problems.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
    return
  }
  const storedIPs = (stored ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]))
  for (const [index, each] of ingress.entries()) validateIngress(problems, `${path}[${index}]`, { ingress: each, storedIPs })
}

const validateIngress = (
  problems: Problems,
  path: string,
  { ingress, storedIPs }: { ingress: LoadBalancerIngress; storedIPs: readonly string[] },
): void => {
  const { ip = '', hostname = '', ipMode } = ingress
  if (ip !== '') problems.invalidEach(`${path}.ip`, ip, addressErrors(ip, storedIPs))
  if (ip !== '' && ipMode === undefined) problems.required(`${path}.ipMode`, 'must be specified when `ip` is set')
  if (ip === '' && ipMode !== undefined) problems.forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set')
  if (ip !== '') problems.checkOptionalOneOf(`${path}.ipMode`, ipMode, ['VIP', 'Proxy'])
  if (hostname === '') return
  problems.invalidEach(`${path}.hostname`, hostname, dns1123SubdomainErrors(hostname))
  if (readAddress(hostname) !== undefined) {
    problems.invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address')
  }
}
