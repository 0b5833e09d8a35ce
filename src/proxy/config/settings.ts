import type { IptablesModeOptions, IpvsModeOptions, ProxyMode } from '../modes/index.ts'
import { checkCIDRs, checkEndpoint, checkMode, checkNodePortRanges, type Endpoint, type NodePortRange } from './checks.ts'
import type { Problem, Values } from './values.ts'

/** Everything that a stand-alone proxy is told, complete and checked. */
export interface ProxySettings {
  readonly mode: ProxyMode
  /** In-cluster configuration when left out. */
  readonly kubeconfig?: string
  /** Instead of the kubeconfig's server. */
  readonly master?: string
  readonly nodeName: string
  readonly pods: PodDetection
  /** The default of the mode when left out. */
  readonly nodePortRanges?: readonly NodePortRange[]
  /** This node's own address, where it is not that of its Node object. */
  readonly bindAddress?: string
  /** Left out: no server. */
  readonly healthz?: Endpoint
  readonly metrics?: Endpoint
  readonly bindHardFail: boolean
  /** For modes that take it from `nftables`, and for those that take it from `iptables`. */
  readonly masqueradeAll: { readonly nftables: boolean; readonly iptables: boolean }
  readonly iptables: IptablesModeOptions
  readonly ipvs: IpvsModeOptions
  /** The cgroup whose processes ebpf mode serves; all when left out. */
  readonly ebpfCgroup?: string
  readonly conntrack: ConntrackSettings
  /** Those of the API when left out. */
  readonly serviceCIDRs?: readonly string[]
  readonly auditIntervalMs?: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** How pods are told from other sources. */
export type PodDetection =
  | { readonly kind: 'ranges'; readonly cidrs: readonly string[] }
  /** The pod ranges of this node's object. */
  | { readonly kind: 'node' }
  /** The ranges of a bridge's own addresses. */
  | { readonly kind: 'bridge'; readonly name: string }
  /** The ranges of the own addresses of all interfaces whose names begin so; those of the node's object where none has an address. */
  | { readonly kind: 'interfaces'; readonly prefix: string }

/** Settings of the kernel's connection tracking; what is left out stays as it is. */
export interface ConntrackSettings {
  readonly maxPerCore?: number
  readonly min?: number
  readonly tcpEstablishedTimeoutMs?: number
  readonly tcpCloseWaitTimeoutMs?: number
  readonly tcpBeLiberal?: boolean
  readonly udpTimeoutMs?: number
  readonly udpStreamTimeoutMs?: number
}

export interface ResolvedSettings {
  readonly settings: ProxySettings
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Later values win over earlier ones. Pure; `settings` is only good where there are no problems. */
export const resolveSettings = (layers: readonly Values[], hostname: string): ResolvedSettings => {
  const look = createReader(new Map(layers.flatMap((layer) => [...layer])))
  const warnings: string[] = []
  const settings: ProxySettings = {
    mode: look.checked('mode', checkMode) ?? 'auto',
    ...optional('kubeconfig', look.text('clientConnection.kubeconfig')),
    ...optional('master', look.text('master')),
    nodeName: (look.text('hostnameOverride') ?? hostname).trim().toLowerCase(),
    pods: podDetection(look, warnings),
    ...optional('nodePortRanges', look.list('nodePortAddresses', checkNodePortRanges)),
    ...optional('bindAddress', specific(look.text('bindAddress'))),
    ...endpoints(look),
    bindHardFail: look.flag('bindAddressHardFail') ?? false,
    masqueradeAll: {
      nftables: look.flag('nftables.masqueradeAll') ?? false,
      iptables: look.flag('iptables.masqueradeAll') ?? false,
    },
    iptables: {
      ...optional('masqueradeBit', look.number('iptables.masqueradeBit', { max: 31 })),
      ...optional('localhostNodePorts', look.flag('iptables.localhostNodePorts')),
    },
    ipvs: {
      ...optional('scheduler', look.text('ipvs.scheduler')),
      ...optional('strictARP', look.flag('ipvs.strictARP')),
      ...optional('timeouts', ipvsTimeouts(look)),
      ...optional('excludeCIDRs', look.list('ipvs.excludeCIDRs', checkCIDRs)),
    },
    ...optional('ebpfCgroup', look.text('ebpfCgroup')),
    conntrack: conntrackSettings(look),
    ...optional('serviceCIDRs', look.list('serviceCIDR', checkCIDRs)),
    ...optional('auditIntervalMs', look.number('auditInterval')),
    logLevel: logLevel(look),
  }
  return { settings, problems: look.problems, warnings }
}

const optional = <K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> =>
  // TypeScript widens a computed key to any string.
  value === undefined ? {} : ({ [key]: value } as Record<K, V>)

/** `0.0.0.0` and `::` say nothing about the node. */
const specific = (address: string | undefined): string | undefined =>
  address === '0.0.0.0' || address === '::' ? undefined : address

const endpoints = (look: Reader): Pick<ProxySettings, 'healthz' | 'metrics'> => ({
  ...optional('healthz', endpointOf(look, 'healthzBindAddress', 10_256)),
  ...optional('metrics', endpointOf(look, 'metricsBindAddress', 10_249)),
})

/** An empty flag turns the server off; an empty field of a file means the default. */
const endpointOf = (look: Reader, path: string, port: number): Endpoint | undefined =>
  look.isOff(path) ? undefined : (look.checked(path, (text) => checkEndpoint(text, port)) ?? { address: '127.0.0.1', port })

const podDetection = (look: Reader, warnings: string[]): PodDetection => {
  const cidrs = look.list('clusterCIDR', checkCIDRs)
  const ranges: PodDetection = cidrs === undefined ? { kind: 'node' } : { kind: 'ranges', cidrs }
  const mode = look.text('detectLocalMode')
  switch (mode) {
    case undefined:
      return ranges
    case 'ClusterCIDR':
      if (cidrs === undefined)
        warnings.push('detectLocalMode ClusterCIDR without a cluster CIDR: the podCIDRs of the Node are taken')
      return ranges
    case 'NodeCIDR':
      return { kind: 'node' }
    case 'BridgeInterface': {
      const name = look.text('detectLocal.bridgeInterface')
      if (name !== undefined) return { kind: 'bridge', name }
      look.refuse('detectLocalMode', 'BridgeInterface needs detectLocal.bridgeInterface (--pod-bridge-interface)')
      return ranges
    }
    case 'InterfaceNamePrefix': {
      const prefix = look.text('detectLocal.interfaceNamePrefix')
      if (prefix !== undefined) return { kind: 'interfaces', prefix }
      look.refuse('detectLocalMode', 'InterfaceNamePrefix needs detectLocal.interfaceNamePrefix (--pod-interface-name-prefix)')
      return ranges
    }
    default:
      look.refuse('detectLocalMode', `must be ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix, is "${mode}"`)
      return ranges
  }
}

/** Zero leaves a timeout as it is, as in kube-proxy. */
const ipvsTimeouts = (look: Reader): IpvsModeOptions['timeouts'] => {
  const seconds = (path: string): number | undefined => {
    const ms = look.number(path) ?? 0
    return ms === 0 ? undefined : Math.ceil(ms / 1_000)
  }
  const timeouts = {
    ...optional('tcp', seconds('ipvs.tcpTimeout')),
    ...optional('tcpFin', seconds('ipvs.tcpFinTimeout')),
    ...optional('udp', seconds('ipvs.udpTimeout')),
  }
  return Object.keys(timeouts).length === 0 ? undefined : timeouts
}

const conntrackSettings = (look: Reader): ConntrackSettings => ({
  ...optional('maxPerCore', look.number('conntrack.maxPerCore')),
  ...optional('min', look.number('conntrack.min')),
  ...optional('tcpEstablishedTimeoutMs', look.number('conntrack.tcpEstablishedTimeout')),
  ...optional('tcpCloseWaitTimeoutMs', look.number('conntrack.tcpCloseWaitTimeout')),
  ...optional('tcpBeLiberal', look.flag('conntrack.tcpBeLiberal')),
  ...optional('udpTimeoutMs', look.number('conntrack.udpTimeout')),
  ...optional('udpStreamTimeoutMs', look.number('conntrack.udpStreamTimeout')),
})

const LEVELS = ['debug', 'info', 'warn', 'error'] as const
/** klog's level of what a developer reads. */
const DEBUG_VERBOSITY = 4

const logLevel = (look: Reader): ProxySettings['logLevel'] => {
  const named = look.text('logLevel')
  const level = LEVELS.find((each) => each === named)
  if (named !== undefined && level === undefined) look.refuse('logLevel', `must be one of ${LEVELS.join(', ')}, is "${named}"`)
  return level ?? ((look.number('logging.verbosity') ?? 0) >= DEBUG_VERBOSITY ? 'debug' : 'info')
}

/** Reads checked values; what does not fit is collected. */
interface Reader {
  readonly problems: readonly Problem[]
  /** Undefined when not set or empty. */
  text(path: string): string | undefined
  flag(path: string): boolean | undefined
  /** Never negative. */
  number(path: string, limit?: { readonly max: number }): number | undefined
  checked<T>(path: string, check: (text: string) => T | { readonly reason: string }): T | undefined
  /** A list, or text with commas; undefined when not set or empty. */
  list<T>(path: string, check: (parts: readonly string[]) => T | { readonly reason: string }): T | undefined
  /** A flag that is there and empty. */
  isOff(path: string): boolean
  refuse(path: string, reason: string): void
}

const createReader = (values: Values): Reader => {
  const problems: Problem[] = []
  const refuse = (path: string, reason: string): void => {
    problems.push({ where: values.get(path)?.where ?? path, reason })
  }
  const text = (path: string): string | undefined => {
    const value = values.get(path)?.value
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const judged = <T>(path: string, result: T | { readonly reason: string }): T | undefined => {
    if (typeof result !== 'object' || result === null || !('reason' in result)) return result
    refuse(path, String(result.reason))
    return undefined
  }
  return {
    problems,
    text,
    refuse,
    flag(path) {
      const value = values.get(path)?.value
      return typeof value === 'boolean' ? value : undefined
    },
    number(path, { max } = { max: Number.MAX_SAFE_INTEGER }) {
      const value = values.get(path)?.value
      if (typeof value !== 'number') return undefined
      if (value >= 0 && value <= max) return value
      refuse(path, max === Number.MAX_SAFE_INTEGER ? 'must not be negative' : `must be from 0 to ${max}, is ${value}`)
      return undefined
    },
    checked(path, check) {
      const value = text(path)
      return value === undefined ? undefined : judged(path, check(value))
    },
    list(path, check) {
      const value = values.get(path)?.value
      const parts = (Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : []).map((part) =>
        String(part).trim(),
      )
      const given = parts.filter((part) => part !== '')
      return given.length === 0 ? undefined : judged(path, check(given))
    },
    isOff: (path) => values.get(path)?.value === '' && values.get(path)?.where.startsWith('--') === true,
  }
}
