import { readAddress } from '../../../ip/index.ts'
import type { Problem } from '../../kind.ts'
import { addressErrors, endpointAddressErrors } from '../../meta/ip-fields.ts'
import { validateLabels } from '../../meta/labels.ts'
import {
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  fullyQualifiedDomainNameErrors,
  labelValueErrors,
  portNumberErrors,
  qualifiedNameErrors,
} from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import type { Endpoint, EndpointHints, EndpointPort, EndpointSlice } from './schema.ts'

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6']
const MAX_ENDPOINTS = 1000
const MAX_ADDRESSES = 100
const MAX_PORTS = 20_000
const MAX_HINTS = 8
const MAX_TOPOLOGY_LABELS = 16

/** All problems of an EndpointSlice. Endpoints that were stored before are not judged again. */
export const validateEndpointSlice = (slice: EndpointSlice, old?: EndpointSlice): readonly Problem[] => {
  const problems = new Problems()
  problems.checkOneOf('addressType', slice.addressType, ADDRESS_TYPES)
  validateEndpoints(problems, slice, old)
  validatePorts(problems, slice.ports ?? [])
  if (old !== undefined && slice.addressType !== old.addressType) {
    problems.invalid('addressType', slice.addressType, 'field is immutable')
  }
  return problems.list
}

const validateEndpoints = (problems: Problems, slice: EndpointSlice, old: EndpointSlice | undefined): void => {
  const endpoints = slice.endpoints ?? []
  if (endpoints.length > MAX_ENDPOINTS) {
    problems.tooMany('endpoints', endpoints.length, MAX_ENDPOINTS)
    return
  }
  const stored = storedEndpoints(old)
  for (const [index, endpoint] of endpoints.entries()) {
    const before = stored.get(endpoint.addresses?.[0] ?? '')
    if (before !== undefined && sameValue(endpoint, before)) continue
    validateEndpoint(problems, `endpoints[${index}]`, { endpoint, addressType: slice.addressType, before })
  }
}

/** By first address: a slice of a thousand that changes in one place is compared, not judged. */
const storedEndpoints = (old: EndpointSlice | undefined): ReadonlyMap<string, Endpoint> =>
  new Map((old?.endpoints ?? []).map((endpoint) => [endpoint.addresses[0] ?? '', endpoint]))

interface InSlice {
  readonly endpoint: Endpoint
  readonly addressType: EndpointSlice['addressType']
  readonly before: Endpoint | undefined
}

const validateEndpoint = (problems: Problems, path: string, { endpoint, addressType, before }: InSlice): void => {
  const addresses: readonly string[] = endpoint.addresses ?? []
  if (addresses.length === 0) problems.required(`${path}.addresses`, 'must contain at least 1 address')
  if (addresses.length > MAX_ADDRESSES) problems.tooMany(`${path}.addresses`, addresses.length, MAX_ADDRESSES)
  for (const [index, address] of addresses.slice(0, MAX_ADDRESSES).entries()) {
    const errors = addressErrorsOf(addressType, address, before?.addresses)
    problems.invalidEach(`${path}.addresses[${index}]`, address, errors)
  }
  if (endpoint.hostname !== undefined) {
    problems.invalidEach(`${path}.hostname`, endpoint.hostname, dns1123LabelErrors(endpoint.hostname))
  }
  if (endpoint.nodeName !== undefined) {
    problems.invalidEach(`${path}.nodeName`, endpoint.nodeName, dns1123SubdomainErrors(endpoint.nodeName))
  }
  validateTopology(problems, path, endpoint)
  if (endpoint.hints !== undefined) validateHints(problems, `${path}.hints`, endpoint.hints)
}

const addressErrorsOf = (
  addressType: EndpointSlice['addressType'],
  address: string,
  stored: readonly string[] | undefined,
): readonly string[] => {
  if (addressType === 'FQDN') return fullyQualifiedDomainNameErrors(address)
  if (addressType !== 'IPv4' && addressType !== 'IPv6') return []
  const errors = addressErrors(address, stored)
  if (errors.length > 0) return errors
  return readAddress(address)?.address.family === addressType
    ? endpointAddressErrors(address)
    : [`must be a valid ${addressType} address`]
}

const validateTopology = (problems: Problems, path: string, { deprecatedTopology = {}, zone }: Endpoint): void => {
  const count = Object.keys(deprecatedTopology).length
  if (count > MAX_TOPOLOGY_LABELS) problems.tooMany(`${path}.deprecatedTopology`, count, MAX_TOPOLOGY_LABELS)
  validateLabels(problems, `${path}.deprecatedTopology`, deprecatedTopology)
  if (Object.hasOwn(deprecatedTopology, 'topology.kubernetes.io/zone')) {
    const field = `${path}.deprecatedTopology[topology.kubernetes.io/zone]`
    problems.invalid(field, zone ?? '', 'reserved and cannot be set in v1; use zone')
  }
}

const validateHints = (problems: Problems, path: string, hints: EndpointHints): void => {
  const checks = { forZones: labelValueErrors, forNodes: dns1123SubdomainErrors } as const
  for (const field of ['forZones', 'forNodes'] as const) {
    const entries = hints[field] ?? []
    if (entries.length > MAX_HINTS) {
      problems.tooMany(`${path}.${field}`, entries.length, MAX_HINTS)
      continue
    }
    const seen = new Set<string>()
    for (const [index, { name }] of entries.entries()) {
      const at = `${path}.${field}[${index}].name`
      if (seen.has(name)) problems.duplicate(`${path}.${field}[${index}]`, name)
      else if (!name) problems.required(at)
      else problems.invalidEach(at, name, checks[field](name))
      seen.add(name)
    }
  }
}

const validatePorts = (problems: Problems, ports: readonly EndpointPort[]): void => {
  if (ports.length > MAX_PORTS) {
    problems.tooMany('ports', ports.length, MAX_PORTS)
    return
  }
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const path = `ports[${index}]`
    const name = port.name ?? ''
    if (name !== '') problems.invalidEach(`${path}.name`, name, dns1123LabelErrors(name))
    if (names.has(name)) problems.duplicate(`${path}.name`, name)
    names.add(name)
    problems.checkOneOf(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP'])
    // Without a number it stands for all ports.
    if (port.port !== undefined) problems.invalidEach(`${path}.port`, port.port, portNumberErrors(port.port))
    if (port.appProtocol !== undefined) {
      problems.invalidEach(`${path}.appProtocol`, port.appProtocol, qualifiedNameErrors(port.appProtocol))
    }
  }
}
