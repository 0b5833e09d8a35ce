import { formatAddress, readAddress } from '../../ip/index.ts'
import { dns1035LabelErrors, dns1123LabelErrors, dns1123SubdomainErrors, pathSegmentErrors } from './names.ts'

/** How the objects of a kind may be named. */
export type NameRule = 'dns1123Subdomain' | 'dns1123Label' | 'dns1035Label' | 'pathSegment' | 'ipAddress'

/** What is wrong with a name under a rule, in Kubernetes' words. */
export const nameErrors = (rule: NameRule, name: string): readonly string[] => {
  switch (rule) {
    case 'dns1123Subdomain':
      return dns1123SubdomainErrors(name)
    case 'dns1123Label':
      return dns1123LabelErrors(name)
    case 'dns1035Label':
      return dns1035LabelErrors(name)
    case 'pathSegment':
      return pathSegmentErrors(name)
    case 'ipAddress':
      return addressNameErrors(name)
    default:
      return rule satisfies never
  }
}

/** What is wrong with a `generateName`, to which five characters are appended: it may end in a dash. */
export const generateNameErrors = (rule: NameRule, prefix: string): readonly string[] =>
  rule === 'ipAddress' ? [] : nameErrors(rule, prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -1)}a` : prefix)

const addressNameErrors = (name: string): readonly string[] => {
  const reading = readAddress(name)
  if (reading === undefined) return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']
  const canonical = formatAddress(reading.address)
  return canonical === name ? [] : [`must be in canonical form ("${canonical}")`]
}
