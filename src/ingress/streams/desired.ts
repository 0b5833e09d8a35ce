import type { EndpointSlice, Service } from '../../api/index.ts'
import { resolveServicePort } from '../../model/index.ts'
import type { StreamProblem, StreamService } from './parse.ts'
import type { StreamPort } from './stream-table.ts'

export interface StreamSources {
  service(key: string): Service | undefined
  slices(service: string): readonly EndpointSlice[]
}

export interface DesiredStream {
  readonly port: StreamPort
  readonly problem?: StreamProblem
}

/** The pods behind a stream: the ready ones, else those that still serve while they terminate. One without pods is there, and refuses. */
export const desiredStream = (stream: StreamService, sources: StreamSources): DesiredStream => {
  const { protocol, port, takesProxyHeader, sendsProxyHeader } = stream
  const open = (endpoints: StreamPort['endpoints']): StreamPort => ({
    protocol,
    port,
    endpoints,
    takesProxyHeader,
    sendsProxyHeader,
  })
  const broken = (reason: StreamProblem['reason'], what: string): DesiredStream => ({
    port: open([]),
    problem: { reason, message: `"${port}": ${what}` },
  })
  const service = sources.service(stream.service)
  if (service === undefined) return broken('StreamServiceNotFound', `Service ${stream.service} does not exist`)
  const resolved = resolveServicePort(service, sources.slices(stream.service), stream.servicePort)
  if (resolved.kind === 'refused' && resolved.reason === 'ExternalName')
    return broken('StreamPortNotFound', `Service ${stream.service} is an ExternalName, which is not forwarded to`)
  if (resolved.kind !== 'resolved' || (resolved.port.protocol ?? 'TCP') !== protocol) {
    const { servicePort } = stream
    const wanted = 'name' in servicePort ? `"${servicePort.name}"` : servicePort.number
    return broken('StreamPortNotFound', `Service ${stream.service} has no ${protocol} port ${wanted}`)
  }
  const chosen = resolved.ready.length > 0 ? resolved.ready : resolved.draining
  return { port: open(chosen.map(({ address, port: podPort }) => ({ address, port: podPort }))) }
}
