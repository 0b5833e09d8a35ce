import { readAddress, readCIDR } from '../../../ip/index.ts'
import type { Service } from './schema.ts'

/** What `kubectl` prints after `Warning:` when the Service is written. */
export const serviceWarnings = (service: Service): readonly string[] => {
  const { spec } = service
  const warnings: string[] = []
  if (spec.loadBalancerIP !== undefined && spec.loadBalancerIP !== '') {
    warnings.push(
      'spec.loadBalancerIP is deprecated since v1.24: its meaning differs between load balancers; use their annotations',
    )
  }
  if ((spec.externalIPs ?? []).length > 0) {
    warnings.push('spec.externalIPs is deprecated: whoever may create Services can take over any address with it (CVE-2020-8554)')
  }
  if (service.metadata.annotations?.[TOPOLOGY_HINTS_ANNOTATION] !== undefined) {
    warnings.push(
      `metadata.annotations[${TOPOLOGY_HINTS_ANNOTATION}] is deprecated since v1.27; use service.kubernetes.io/topology-mode`,
    )
  }
  if (spec.type === 'ExternalName' && readAddress(spec.externalName ?? '') !== undefined) {
    warnings.push('spec.externalName looks like an IP address, but is a DNS name: clients will not reach the address by it')
  }
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    if (index < 10 && readCIDR(range.trim())?.hostBits === true) {
      warnings.push(`spec.loadBalancerSourceRanges[${index}]: ${JSON.stringify(range)} has bits set beyond its prefix length`)
    }
  }
  return warnings
}

const TOPOLOGY_HINTS_ANNOTATION = 'service.kubernetes.io/topology-aware-hints'
