import type { Container, Pod, Service, ServicePort, SlicePort } from '../../api/index.ts'

/** A port that a pod really has. */
export type ResolvedPort = SlicePort & { readonly port: number }

/** The ports of a Service as this pod serves them: a named target port may be another number in another pod. */
export const podPorts = (service: Service, pod: Pod): readonly ResolvedPort[] =>
  (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod)
    if (number === undefined) return []
    const { name = '', protocol, appProtocol } = port
    return [{ name, protocol: protocol ?? 'TCP', port: number, ...(appProtocol ? { appProtocol } : {}) }]
  })

/** The number that `port` has in `pod`; undefined when no container declares the name with this protocol. */
export const targetPort = ({ port, protocol, targetPort: wanted = port }: ServicePort, pod: Pod): number | undefined => {
  if (typeof wanted === 'number') return wanted === 0 ? port : wanted
  for (const container of servingContainers(pod)) {
    const found = container.ports?.find(
      (declared) => declared.name === wanted && (declared.protocol ?? 'TCP') === (protocol ?? 'TCP'),
    )
    if (found) return found.containerPort
  }
  return undefined
}

/** Containers, then the init containers that go on running beside them (sidecars, KEP-753). */
const servingContainers = ({ spec }: Pod): readonly Container[] => [
  ...spec.containers,
  ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
]
