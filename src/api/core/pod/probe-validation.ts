import { httpHeaderNameErrors, portNumberErrors, portNumberOrNameErrors, rangeMessage } from '../../meta/names.ts'
import type { Problems } from '../../problems.ts'
import type { Container } from './container.ts'
import type { HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from './handler.ts'

/** Reports what is wrong with the three probes of a container. */
export const validateProbes = (problems: Problems, path: string, container: Container): void => {
  for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[field]
    if (probe === undefined) continue
    const at = `${path}.${field}`
    validateProbe(problems, at, probe)
    if (field === 'readinessProbe') {
      if (probe.terminationGracePeriodSeconds !== undefined) {
        const detail = 'must not be set for readinessProbes'
        problems.invalid(`${at}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, detail)
      }
    } else if (probe.successThreshold !== undefined && probe.successThreshold !== 1) {
      problems.invalid(`${at}.successThreshold`, probe.successThreshold, 'must be 1')
    }
  }
}

const validateProbe = (problems: Problems, path: string, probe: Probe): void => {
  validateHandler(problems, path, probe)
  const numbers = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const
  for (const field of numbers) {
    const value = probe[field] ?? 0
    if (value < 0) problems.invalid(`${path}.${field}`, value, 'must be greater than or equal to 0')
  }
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0) {
    problems.invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0')
  }
}

/** Reports what is wrong with the hooks at a container's start and end. */
export const validateLifecycle = (problems: Problems, path: string, lifecycle: Lifecycle | undefined): void => {
  if (lifecycle?.postStart !== undefined) validateHandler(problems, `${path}.postStart`, lifecycle.postStart)
  if (lifecycle?.preStop !== undefined) validateHandler(problems, `${path}.preStop`, lifecycle.preStop)
}

type Handler = LifecycleHandler & Pick<Probe, 'grpc'>

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const

const validateHandler = (problems: Problems, path: string, handler: Handler): void => {
  const [first, ...others] = HANDLERS.filter((name) => handler[name] !== undefined)
  if (first === undefined) problems.required(path, 'must specify a handler type')
  for (const name of others) problems.forbidden(`${path}.${name}`, 'may not specify more than 1 handler type')
  if (handler.exec !== undefined && (handler.exec.command ?? []).length === 0) problems.required(`${path}.exec.command`)
  if (handler.httpGet !== undefined) validateHTTPGet(problems, `${path}.httpGet`, handler.httpGet)
  if (handler.tcpSocket !== undefined) {
    const port = handler.tcpSocket.port ?? 0
    problems.invalidEach(`${path}.tcpSocket.port`, port, portNumberOrNameErrors(port))
  }
  if (handler.grpc !== undefined) {
    const port = handler.grpc.port ?? 0
    problems.invalidEach(`${path}.grpc.port`, port, portNumberErrors(port))
  }
  const seconds = handler.sleep?.seconds
  if (seconds !== undefined && seconds < 0) problems.invalid(`${path}.sleep`, seconds, rangeMessage(0, 2 ** 31 - 1))
}

const validateHTTPGet = (problems: Problems, path: string, httpGet: HTTPGetAction): void => {
  if (!httpGet.path) problems.required(`${path}.path`)
  const port = httpGet.port ?? 0
  problems.invalidEach(`${path}.port`, port, portNumberOrNameErrors(port))
  problems.checkOneOf(`${path}.scheme`, httpGet.scheme, ['HTTP', 'HTTPS'])
  for (const header of httpGet.httpHeaders ?? []) {
    problems.invalidEach(`${path}.httpHeaders`, header.name, httpHeaderNameErrors(header.name ?? ''))
  }
}
