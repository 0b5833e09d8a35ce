import type { PortReference } from '../../model/index.ts'

/** One entry of a ConfigMap of streams. */
export interface StreamService {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** `namespace/name`. */
  readonly service: string
  readonly servicePort: PortReference
  readonly takesProxyHeader: boolean
  readonly sendsProxyHeader: boolean
}

export interface StreamProblem {
  readonly reason:
    | 'StreamInvalid'
    | 'StreamServiceNotFound'
    | 'StreamPortNotFound'
    | 'StreamPortUnavailable'
    | 'StreamProxyUntrusted'
  readonly message: string
}

export interface ParsedStreams {
  readonly services: readonly StreamService[]
  readonly problems: readonly StreamProblem[]
}

/** Ports that are taken already, and by what. */
export type ReservedPorts = ReadonlyMap<number, string>

const NAME = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const VALUE = new RegExp(`^(?<service>${NAME}/${NAME}):(?<port>[^:]+)(?::(?<takes>PROXY)?)?(?::(?<sends>PROXY)?)?$`)
const PORT_NAME = /^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/

/**
 * The ConfigMap of ingress-nginx's `--tcp-services-configmap` and `--udp-services-configmap`: a port → `namespace/service:port[:PROXY][:PROXY]`, the first PROXY from clients, the second to pods. An entry that
 * cannot be read harms no other.
 */
export const parseStreams = (
  protocol: 'TCP' | 'UDP',
  data: Readonly<Record<string, string>>,
  reserved: ReservedPorts,
): ParsedStreams => {
  const services: StreamService[] = []
  const problems: StreamProblem[] = []
  for (const [key, value] of Object.entries(data).sort(([a], [b]) => Number(a) - Number(b))) {
    const read = parseEntry(protocol, key, value, reserved)
    if (typeof read === 'string') problems.push({ reason: 'StreamInvalid', message: `"${clip(key)}": ${read}` })
    else services.push(read)
  }
  return { services, problems }
}

/** A text is what is wrong. */
const parseEntry = (protocol: 'TCP' | 'UDP', key: string, value: string, reserved: ReservedPorts): StreamService | string => {
  const port = portNumber(key)
  if (port === undefined) return 'is not a port number from 1 to 65535'
  const owner = reserved.get(port)
  if (protocol === 'TCP' && owner !== undefined) return `the port is ${owner}`
  const { service = '', port: portText = '', takes, sends } = VALUE.exec(value.trim())?.groups ?? {}
  const servicePort = portReference(protocol, portText)
  if (service === '' || servicePort === undefined) return `"${clip(value)}" is not namespace/service:port[:PROXY][:PROXY]`
  const takesProxyHeader = takes !== undefined
  const sendsProxyHeader = sends !== undefined
  if (protocol === 'UDP' && (takesProxyHeader || sendsProxyHeader)) return 'the PROXY protocol is for TCP only'
  return { protocol, port, service, servicePort, takesProxyHeader, sendsProxyHeader }
}

const portReference = (protocol: 'TCP' | 'UDP', text: string): PortReference | undefined => {
  const number = portNumber(text)
  if (number !== undefined) return { number, protocol }
  return PORT_NAME.test(text) ? { name: text } : undefined
}

const portNumber = (text: string): number | undefined => {
  const value = Number(text)
  return /^[1-9]\d{0,4}$/.test(text) && value <= 65_535 ? value : undefined
}

const clip = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text)
