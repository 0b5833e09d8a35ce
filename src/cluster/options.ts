import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { UserError } from '../base/index.ts'
import type { AcmeServerFlags } from '../ingress/index.ts'
import { addressAt, cidrContainsCIDR, cidrsOverlap, formatAddress, parseAddress, parseCIDR } from '../ip/index.ts'
import type { ProxyMode } from '../proxy/index.ts'

/** What the user asked for; everything may be left out. */
export interface ClusterFlags {
  readonly dataDir?: string
  readonly proxyMode?: string
  readonly serviceCidr?: string
  readonly podCidr?: string
  readonly loadBalancerCidr?: string
  readonly clusterDomain?: string
  readonly apiPort?: number
  readonly ingressHttp?: number
  readonly ingressHttps?: number
  readonly ingressAddress?: string
  readonly ingressWorkers?: number
  readonly acmeServer?: string
  readonly acmeAgreeTos?: boolean
  readonly acmeEmail?: string
  readonly acmeCa?: string
  readonly nodeName?: string
  readonly images?: string
  readonly manifests?: readonly string[]
  readonly logLevel?: string
}

/** What this process may do on this machine. */
export interface Privileges {
  readonly home: string
  readonly stateHome: string | undefined
  /** Runs as root. */
  readonly isRoot: boolean
  /** May make network namespaces, links and routes; when not, why. */
  readonly network: { readonly kind: 'netns' } | { readonly kind: 'loopback'; readonly reason: string }
  /** `net.ipv4.ip_unprivileged_port_start`, or 0 for root. */
  readonly firstBindablePort: number
}

export interface ClusterOptions {
  readonly dataDir: string
  readonly network: Privileges['network']
  readonly proxyMode: ProxyMode
  readonly firstBindablePort: number
  readonly serviceCidrs: readonly string[]
  readonly podCidr: string
  /** Addresses for Services of type LoadBalancer. */
  readonly loadBalancerCidr: string
  readonly nodeName: string
  readonly nodeAddress: string
  readonly clusterDomain: string
  readonly api: { readonly address: string; readonly port: number }
  readonly ingress: { readonly address: string; readonly httpPort: number; readonly httpsPort: number; readonly workers: number }
  /** Undefined: nothing is asked of any server. */
  readonly acme: AcmeServerFlags | undefined
  readonly images: string | undefined
  readonly manifests: readonly string[]
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

const LOOPBACK_ADDRESS = '127.0.0.1'
const LOOPBACK_RANGE = '127.0.0.0/8'
/** Those of src/proxy, whose code only a start needs. */
const MODES = ['auto', 'nftables', 'iptables', 'ipvs', 'ebpf', 'userspace'] as const satisfies readonly ProxyMode[]
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** The folder that an instance uses when none is named: the system's state folder for root, else the user's. */
export const defaultDataDir = (privileges: Pick<Privileges, 'home' | 'stateHome' | 'isRoot'>): string =>
  privileges.isRoot ? '/var/lib/fairway' : join(privileges.stateHome ?? join(privileges.home, '.local', 'state'), 'fairway')

/** Fills in what was left out; throws `UserError` that names the flag for what cannot be. Pure. */
export const resolveOptions = (flags: ClusterFlags, privileges: Privileges): ClusterOptions => {
  const isNetns = privileges.network.kind === 'netns'
  const serviceCidr = flags.serviceCidr ?? (isNetns ? '10.96.0.0/16' : '127.96.0.0/16')
  const podCidr = flags.podCidr ?? (isNetns ? '10.244.0.0/24' : '127.244.0.0/24')
  const loadBalancerCidr = flags.loadBalancerCidr ?? (isNetns ? '10.95.0.0/24' : '127.95.0.0/24')
  checkRanges(
    [
      ['--service-cidr', serviceCidr],
      ['--pod-cidr', podCidr],
      ['--load-balancer-cidr', loadBalancerCidr],
    ],
    privileges.network,
  )
  return {
    dataDir: resolve(flags.dataDir ?? defaultDataDir(privileges)),
    network: privileges.network,
    proxyMode: proxyMode(flags.proxyMode),
    firstBindablePort: privileges.firstBindablePort,
    serviceCidrs: [serviceCidr],
    podCidr,
    loadBalancerCidr,
    nodeName: nodeName(flags.nodeName),
    nodeAddress: isNetns ? firstHost(podCidr) : LOOPBACK_ADDRESS,
    clusterDomain: flags.clusterDomain ?? 'cluster.local',
    api: { address: LOOPBACK_ADDRESS, port: flags.apiPort ?? 6443 },
    ingress: {
      address: ingressAddress(flags.ingressAddress),
      httpPort: flags.ingressHttp ?? 80,
      httpsPort: flags.ingressHttps ?? 443,
      workers: flags.ingressWorkers ?? 1,
    },
    acme: acmeServer(flags),
    images: flags.images,
    manifests: flags.manifests ?? [],
    logLevel: LOG_LEVELS.find((level) => level === flags.logLevel) ?? 'info',
  }
}

const acmeServer = ({
  acmeServer: server,
  acmeAgreeTos,
  acmeEmail: email,
  acmeCa: caFile,
}: ClusterFlags): AcmeServerFlags | undefined => {
  const refuse = (why: string): never => {
    throw new UserError(`--acme-server: ${why}`, { exitCode: 2 })
  }
  if (server === undefined) return (email ?? caFile ?? acmeAgreeTos) ? refuse('is needed for the other --acme flags') : undefined
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:') return refuse(`"${server}" is not an https URL`)
  if (acmeAgreeTos !== true) return refuse('needs --acme-agree-tos: the server has terms of service')
  return { server, email, caFile: caFile && resolve(caFile) }
}

const proxyMode = (wanted = 'auto'): ProxyMode => {
  const mode = MODES.find((name) => name === wanted)
  if (mode === undefined) throw new UserError(`--proxy-mode: "${wanted}" is not one of ${MODES.join(', ')}`, { exitCode: 2 })
  return mode
}

type NamedRange = readonly [flag: string, text: string]

const checkRanges = (ranges: readonly NamedRange[], network: Privileges['network']): void => {
  for (const [index, [flag, text]] of ranges.entries()) {
    const cidr = range(flag, text)
    for (const [otherFlag, otherText] of ranges.slice(index + 1)) {
      if (cidrsOverlap(cidr, range(otherFlag, otherText))) {
        throw new UserError(`${flag} ${text} and ${otherFlag} ${otherText} overlap; choose two ranges apart`, { exitCode: 2 })
      }
    }
  }
  if (network.kind === 'netns') return
  const loopback = range('loopback', LOOPBACK_RANGE)
  for (const [flag, text] of ranges) {
    if (!cidrContainsCIDR(loopback, range(flag, text))) {
      throw new UserError(
        `${flag} ${text}: pods share this machine's network (${network.reason}), so it must lie in ${LOOPBACK_RANGE}`,
        {
          exitCode: 2,
        },
      )
    }
  }
}

const range = (flag: string, text: string) => {
  const cidr = parseCIDR(text)
  if (!cidr) throw new UserError(`${flag}: "${text}" is not a CIDR such as 10.96.0.0/16`, { exitCode: 2 })
  return cidr
}

/** The first address after the network's own: the bridge's, where pods find their node. */
const firstHost = (podCidr: string): string => {
  const first = addressAt(range('--pod-cidr', podCidr), 1n)
  if (!first) throw new UserError(`--pod-cidr: ${podCidr} has no room for pods`, { exitCode: 2 })
  return formatAddress(first)
}

const ingressAddress = (text: string | undefined): string => {
  if (text !== undefined && !parseAddress(text)) {
    throw new UserError(`--ingress-address: "${text}" is not an IP address`, { exitCode: 2 })
  }
  return text ?? LOOPBACK_ADDRESS
}

const nodeName = (name: string | undefined): string => {
  if (name === undefined) return 'fairway'
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) || name.length > 253) {
    throw new UserError(`--node-name: "${name}" is not a DNS name of lower-case letters, digits, "-" and "."`, { exitCode: 2 })
  }
  return name
}

/** What `resolveOptions` needs to know of the environment. */
export const environmentOf = (isRoot: boolean): Pick<Privileges, 'home' | 'stateHome' | 'isRoot'> => ({
  home: homedir(),
  stateHome: process.env['XDG_STATE_HOME'] || undefined,
  isRoot,
})
