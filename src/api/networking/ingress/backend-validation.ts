import {
  dns1035LabelErrors,
  dns1123SubdomainErrors,
  pathSegmentErrors,
  portNameErrors,
  portNumberErrors,
} from '../../meta/names.ts'
import type { Problems } from '../../problems.ts'
import type { IngressBackend, IngressServiceBackend } from './schema.ts'

/** Reports a backend that names nothing, or more than one thing. */
export const validateIngressBackend = (problems: Problems, path: string, backend: IngressBackend | undefined): void => {
  const { resource, service } = backend ?? {}
  if (resource !== undefined && service !== undefined) {
    problems.invalid(path, '', 'cannot set both resource and service backends')
  } else if (service !== undefined) validateService(problems, path, service)
  else if (resource !== undefined) {
    const { apiGroup, kind, name } = resource
    if (apiGroup) problems.invalidEach(`${path}.resource.apiGroup`, apiGroup, dns1123SubdomainErrors(apiGroup))
    for (const [field, value] of Object.entries({ kind, name })) {
      if (!value) problems.required(`${path}.resource.${field}`)
      else problems.invalidEach(`${path}.resource.${field}`, value, pathSegmentErrors(value))
    }
  } else problems.invalid(path, '', 'resource or service backend is required')
}

const validateService = (problems: Problems, path: string, service: IngressServiceBackend): void => {
  const { name: portName = '', number = 0 } = service.port ?? {}
  if (!service.name) problems.required(`${path}.service.name`)
  else problems.invalidEach(`${path}.service.name`, service.name, dns1035LabelErrors(service.name))
  if (portName !== '' && number !== 0) problems.invalid(path, '', 'cannot set both port name & port number')
  else if (portName !== '') problems.invalidEach(`${path}.service.port.name`, portName, portNameErrors(portName))
  else if (number !== 0) problems.invalidEach(`${path}.service.port.number`, number, portNumberErrors(number))
  else problems.required(path, 'port name or number is required')
}
