import { addressErrors } from '../../meta/ip-fields.ts'
import { dns1123LabelErrors, portNameErrors, portNumberErrors } from '../../meta/names.ts'
import type { Problems } from '../../problems.ts'
import type { Container, ContainerPort } from './container.ts'
import { validateEnv } from './env-validation.ts'
import type { PodSpec } from './pod-spec.ts'
import { validateLifecycle, validateProbes } from './probe-validation.ts'
import { validateResources } from './resources-validation.ts'
import { validateVolumeMounts } from './volume-validation.ts'

/** Reports what is wrong with the containers of a pod, together: their names and host ports must differ. */
export const validateContainers = (problems: Problems, path: string, spec: PodSpec): void => {
  const shared: Shared = {
    names: new Set(),
    hostPorts: new Set(),
    volumes: new Set((spec.volumes ?? []).map(({ name }) => name)),
    hostNetwork: spec.hostNetwork === true,
  }
  if (spec.containers.length === 0) problems.required(`${path}.containers`)
  for (const [index, container] of spec.containers.entries()) {
    const at = `${path}.containers[${index}]`
    validateContainer(problems, at, { container, shared })
    validateProbes(problems, at, container)
    validateLifecycle(problems, `${at}.lifecycle`, container.lifecycle)
  }
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const at = `${path}.initContainers[${index}]`
    validateContainer(problems, at, { container, shared })
    validateInitContainer(problems, at, container)
  }
}

interface Shared {
  readonly names: Set<string>
  readonly hostPorts: Set<string>
  readonly volumes: ReadonlySet<string>
  readonly hostNetwork: boolean
}

interface InPod {
  readonly container: Container
  readonly shared: Shared
}

const validateContainer = (problems: Problems, path: string, { container, shared }: InPod): void => {
  const name: string | undefined = container.name
  if (name === undefined || name === '') problems.required(`${path}.name`)
  else {
    problems.invalidEach(`${path}.name`, name, dns1123LabelErrors(name))
    if (shared.names.has(name)) problems.duplicate(`${path}.name`, name)
    shared.names.add(name)
  }
  const image = container.image ?? ''
  if (image === '') problems.required(`${path}.image`)
  else if (image.trim() !== image) problems.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace')
  problems.checkOneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'])
  problems.checkOptionalOneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
    'File',
    'FallbackToLogsOnError',
  ])
  validatePorts(problems, `${path}.ports`, { container, shared })
  validateEnv(problems, path, container)
  validateVolumeMounts(problems, `${path}.volumeMounts`, { mounts: container.volumeMounts ?? [], volumes: shared.volumes })
  validateResources(problems, `${path}.resources`, container.resources)
}

const validatePorts = (problems: Problems, path: string, { container, shared }: InPod): void => {
  const names = new Set<string>()
  for (const [index, port] of (container.ports ?? []).entries()) {
    const at = `${path}[${index}]`
    validatePort(problems, at, port)
    if (port.name) {
      if (names.has(port.name)) problems.duplicate(`${at}.name`, port.name)
      names.add(port.name)
    }
    if (!port.hostPort) continue
    if (shared.hostNetwork && port.hostPort !== port.containerPort) {
      problems.invalid(`${at}.hostPort`, port.hostPort, 'must match `containerPort` when `hostNetwork` is true')
    }
    const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`
    if (shared.hostPorts.has(key)) problems.duplicate(`${at}.hostPort`, key)
    shared.hostPorts.add(key)
  }
}

const validatePort = (problems: Problems, path: string, port: ContainerPort): void => {
  if (port.name) problems.invalidEach(`${path}.name`, port.name, portNameErrors(port.name))
  const number: number | undefined = port.containerPort
  if (number === undefined || number === 0) problems.required(`${path}.containerPort`)
  else problems.invalidEach(`${path}.containerPort`, number, portNumberErrors(number))
  if (port.hostPort) problems.invalidEach(`${path}.hostPort`, port.hostPort, portNumberErrors(port.hostPort))
  if (port.hostIP) problems.invalidEach(`${path}.hostIP`, port.hostIP, addressErrors(port.hostIP))
  problems.checkOneOf(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP'])
}

/** One that stays (a sidecar) is as a container; one that ends has nothing to be probed. */
const validateInitContainer = (problems: Problems, path: string, container: Container): void => {
  problems.checkOptionalOneOf(`${path}.restartPolicy`, container.restartPolicy, ['Always', 'OnFailure', 'Never'])
  if (container.restartPolicy === 'Always') {
    validateProbes(problems, path, container)
    validateLifecycle(problems, `${path}.lifecycle`, container.lifecycle)
    return
  }
  for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (container[field] !== undefined) {
      problems.forbidden(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always')
    }
  }
}
