import { fieldsOf, itemsOf, json, type Parser, ShapeError, textOf } from './reading.ts'

export type SpecifiedProtocol = 'TCP' | 'UDP' | 'TCP_SSL' | 'QUIC' | 'HTTP' | 'HTTPS'

/** `specify-protocol`: what listeners a port of the Service gets. */
export interface PortProtocols {
  readonly protocols: readonly SpecifiedProtocol[]
  /** The Secret with the certificate of the listener. */
  readonly tls: string | undefined
  /** Hosts of HTTP and HTTPS, each with the Secret of its own certificate. */
  readonly hosts: readonly { readonly host: string; readonly tls: string | undefined }[]
}

export type SpecifiedProtocols = ReadonlyMap<number, PortProtocols>

const KNOWN: readonly SpecifiedProtocol[] = ['TCP', 'UDP', 'TCP_SSL', 'QUIC', 'HTTP', 'HTTPS']
/** The cloud's: a name, `*.` before one, or `.*` after one. */
const HOST = /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?(\.\*)?$/
const SECRET = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

export const specifiedProtocols: Parser<SpecifiedProtocols> = json((found) => {
  const ports = Object.entries(fieldsOf(found, 'it'))
  return new Map(
    ports.map(([port, spec]) => {
      if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535)
        throw new ShapeError(`${JSON.stringify(port.slice(0, 20))} is no port`)
      return [Number(port), readPort(spec, `"${port}"`)]
    }),
  )
})

const readPort = (found: unknown, at: string): PortProtocols => {
  const { protocol, tls, hosts } = fieldsOf(found, at, ['protocol', 'tls', 'hosts'])
  const protocols = itemsOf(protocol, `${at}.protocol`).map((each) => {
    const known = KNOWN.find((one) => one === each)
    if (known === undefined) throw new ShapeError(`${at}.protocol must be of ${KNOWN.join(', ')}`)
    return known
  })
  const read: PortProtocols = {
    protocols,
    tls: tls === undefined ? undefined : textOf(tls, `${at}.tls`, SECRET),
    hosts: hosts === undefined ? [] : readHosts(hosts, `${at}.hosts`),
  }
  checkTogether(read, at)
  return read
}

const readHosts = (found: unknown, at: string): PortProtocols['hosts'] => {
  const entries = Object.entries(fieldsOf(found, at))
  if (entries.length > 50) throw new ShapeError(`${at} must have at most 50 hosts`)
  return entries.map(([host, spec]) => {
    const { tls } = fieldsOf(spec, `${at}.${host}`, ['tls'])
    return {
      host: textOf(host, `${at} key`, HOST).toLowerCase(),
      tls: tls === undefined ? undefined : textOf(tls, `${at}.${host}.tls`, SECRET),
    }
  })
}

/** One transport has one listener: TCP, TCP_SSL, HTTP and HTTPS exclude each other, as UDP and QUIC do. */
const checkTogether = ({ protocols, tls, hosts }: PortProtocols, at: string): void => {
  if (protocols.length === 0) throw new ShapeError(`${at}.protocol must not be empty`)
  const isUdp = (protocol: SpecifiedProtocol): boolean => protocol === 'UDP' || protocol === 'QUIC'
  const onUdp = protocols.filter(isUdp).length
  if (onUdp > 1 || protocols.length - onUdp > 1) throw new ShapeError(`${at}.protocol has two for one transport`)
  const isSecure = protocols.some((protocol) => protocol === 'TCP_SSL' || protocol === 'QUIC' || protocol === 'HTTPS')
  const hasOwn = hosts.filter((host) => host.tls !== undefined)
  if (!isSecure && (tls !== undefined || hasOwn.length > 0))
    throw new ShapeError(`${at} has tls, which ${protocols.join(', ')} does not use`)
  if (hosts.length > 0 && !protocols.some((protocol) => protocol === 'HTTP' || protocol === 'HTTPS'))
    throw new ShapeError(`${at} has hosts, which ${protocols.join(', ')} does not use`)
  if (isSecure && tls === undefined && (hosts.length === 0 || hasOwn.length < hosts.length))
    throw new ShapeError(`${at} needs tls`)
}
