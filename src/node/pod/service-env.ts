import type { Service } from '../../api/index.ts'

/**
 * The variables by which a pod finds the Services that exist when it starts (`WEB_SERVICE_HOST`, `WEB_PORT_80_TCP_ADDR`, ...):
 * those of its own namespace, and `kubernetes` of the default namespace. Headless and ExternalName Services have none. Pure.
 */
export const serviceEnv = (
  services: readonly Service[],
  namespace: string,
  linksEnabled: boolean,
): ReadonlyMap<string, string> => {
  const env = new Map<string, string>()
  const own = linksEnabled ? services.filter((service) => service.metadata.namespace === namespace) : []
  // The Service of the own namespace wins over the master's of the same name.
  const master = services.filter((service) => service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes')
  for (const service of [...master, ...own]) for (const [name, value] of variablesOf(service)) env.set(name, value)
  return env
}

const variablesOf = (service: Service): readonly (readonly [string, string])[] => {
  const { clusterIP, ports = [] } = service.spec
  const [first] = ports
  if (clusterIP === undefined || clusterIP === '' || clusterIP === 'None' || first === undefined) return []
  const prefix = variableName(service.metadata.name)
  const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP
  return [
    [`${prefix}_SERVICE_HOST`, clusterIP],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...ports.flatMap((port): [string, string][] =>
      port.name ? [[`${prefix}_SERVICE_PORT_${variableName(port.name)}`, String(port.port)]] : [],
    ),
    [`${prefix}_PORT`, urlOf(first, host)],
    ...ports.flatMap((port) => dockerLink(`${prefix}_PORT_${port.port}_${protocolOf(port)}`, port, clusterIP)),
  ]
}

type Port = NonNullable<Service['spec']['ports']>[number]

const dockerLink = (prefix: string, port: Port, clusterIP: string): readonly (readonly [string, string])[] => [
  [prefix, urlOf(port, clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP)],
  [`${prefix}_PROTO`, protocolOf(port).toLowerCase()],
  [`${prefix}_PORT`, String(port.port)],
  [`${prefix}_ADDR`, clusterIP],
]

const protocolOf = (port: Port): string => port.protocol ?? 'TCP'

const urlOf = (port: Port, host: string): string => `${protocolOf(port).toLowerCase()}://${host}:${port.port}`

const variableName = (name: string): string => name.toUpperCase().replaceAll('-', '_')
