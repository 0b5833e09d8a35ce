import type { Problem } from '../../kind.ts'
import { addressErrors, endpointAddressErrors } from '../../meta/ip-fields.ts'
import { dns1123LabelErrors, dns1123SubdomainErrors, portNumberErrors, qualifiedNameErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from './schema.ts'

/** All problems of Endpoints; subsets that did not change are not judged again. */
export const validateEndpoints = (endpoints: Endpoints, old?: Endpoints): readonly Problem[] => {
  const problems = new Problems()
  if (old !== undefined && sameValue(endpoints.subsets, old.subsets)) return []
  const stored = (old?.subsets ?? []).flatMap(addressesOf).map(({ ip }) => ip)
  for (const [index, subset] of (endpoints.subsets ?? []).entries()) {
    validateSubset(problems, `subsets[${index}]`, { subset, stored })
  }
  return problems.list
}

/** What kubectl prints after `Warning:`. */
export const endpointsWarnings = (): readonly string[] => [
  'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
]

const addressesOf = ({ addresses = [], notReadyAddresses = [] }: EndpointSubset): readonly EndpointAddress[] => [
  ...addresses,
  ...notReadyAddresses,
]

const validateSubset = (
  problems: Problems,
  path: string,
  { subset, stored }: { readonly subset: EndpointSubset; readonly stored: readonly string[] },
): void => {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset
  if (addresses.length === 0 && notReadyAddresses.length === 0) {
    problems.required(path, 'must specify `addresses` or `notReadyAddresses`')
  }
  for (const [field, list] of Object.entries({ addresses, notReadyAddresses })) {
    for (const [index, address] of list.entries()) {
      validateAddress(problems, `${path}.${field}[${index}]`, { address, stored })
    }
  }
  for (const [index, port] of ports.entries()) validatePort(problems, `${path}.ports[${index}]`, { port, count: ports.length })
}

const validateAddress = (
  problems: Problems,
  path: string,
  { address, stored }: { readonly address: EndpointAddress; readonly stored: readonly string[] },
): void => {
  const ip = address.ip ?? ''
  const errors = addressErrors(ip, stored)
  problems.invalidEach(`${path}.ip`, ip, errors.length > 0 ? errors : endpointAddressErrors(ip))
  if (address.hostname) problems.invalidEach(`${path}.hostname`, address.hostname, dns1123LabelErrors(address.hostname))
  if (address.nodeName !== undefined) {
    problems.invalidEach(`${path}.nodeName`, address.nodeName, dns1123SubdomainErrors(address.nodeName))
  }
}

const validatePort = (
  problems: Problems,
  path: string,
  { port, count }: { readonly port: EndpointPort; readonly count: number },
): void => {
  if (!port.name) {
    if (count > 1) problems.required(`${path}.name`)
  } else problems.invalidEach(`${path}.name`, port.name, dns1123LabelErrors(port.name))
  problems.invalidEach(`${path}.port`, port.port ?? 0, portNumberErrors(port.port ?? 0))
  problems.checkOneOf(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP'])
  if (port.appProtocol !== undefined) {
    problems.invalidEach(`${path}.appProtocol`, port.appProtocol, qualifiedNameErrors(port.appProtocol))
  }
}
