import { dns1123LabelErrors, portNumberErrors, portNumberOrNameErrors, qualifiedNameErrors } from '../../meta/names.ts'
import type { Problems } from '../../problems.ts'
import type { ServicePort, ServiceSpec } from './schema.ts'
import { isHeadless } from './traits.ts'

const PROTOCOLS = ['SCTP', 'TCP', 'UDP']

/** Reports what is wrong with each port of a Service, and with ports that are the same. */
export const validateServicePorts = (problems: Problems, spec: ServiceSpec): void => {
  const ports = spec.ports ?? []
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') problems.required('spec.ports')
  const seen: Seen = { names: new Set(), ports: new Set(), nodePorts: new Set() }
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`
    validateName(problems, `${path}.name`, { name: port.name ?? '', needed: ports.length > 1, names: seen.names })
    validatePort(problems, path, port)
    validateNodePort(problems, `${path}.nodePort`, { port, type: spec.type, seen })
    const key = `${port.protocol}/${port.port}`
    if (seen.ports.has(key)) problems.duplicate(path, { port: port.port, protocol: port.protocol })
    seen.ports.add(key)
  }
}

interface Seen {
  readonly names: Set<string>
  readonly ports: Set<string>
  readonly nodePorts: Set<string>
}

const validateName = (
  problems: Problems,
  path: string,
  { name, needed, names }: { name: string; needed: boolean; names: Set<string> },
): void => {
  if (name === '') {
    if (needed) problems.required(path)
    return
  }
  problems.invalidEach(path, name, dns1123LabelErrors(name))
  if (names.has(name)) problems.duplicate(path, name)
  names.add(name)
}

const validatePort = (problems: Problems, path: string, port: ServicePort): void => {
  const number: number | undefined = port.port
  problems.invalidEach(`${path}.port`, number ?? 0, portNumberErrors(number ?? 0))
  problems.checkOneOf(`${path}.protocol`, port.protocol, PROTOCOLS)
  const target = port.targetPort ?? number ?? 0
  problems.invalidEach(`${path}.targetPort`, target, portNumberOrNameErrors(target))
  if (port.appProtocol !== undefined) {
    problems.invalidEach(`${path}.appProtocol`, port.appProtocol, qualifiedNameErrors(port.appProtocol))
  }
}

/** Whether a node port lies in the range and is free is the allocator's to say. */
const validateNodePort = (
  problems: Problems,
  path: string,
  { port, type, seen }: { port: ServicePort; type: ServiceSpec['type']; seen: Seen },
): void => {
  const { nodePort, protocol } = port
  if (nodePort === undefined || nodePort === 0) return
  if (type === 'ClusterIP') problems.forbidden(path, "may not be used when `type` is 'ClusterIP'")
  problems.invalidEach(path, nodePort, portNumberErrors(nodePort))
  // TCP and UDP may share a number.
  const key = `${protocol}/${nodePort}`
  if (seen.nodePorts.has(key)) problems.duplicate(path, nodePort)
  seen.nodePorts.add(key)
}
