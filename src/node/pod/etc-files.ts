import type { Pod } from '../../api/index.ts'
import type { NodeDns } from './pod-deps.ts'
import { hostnameOf } from './prepare.ts'

export interface EtcSources {
  readonly pod: Pod
  readonly address: string
  readonly dns: NodeDns
  /** The machine's own files. */
  readonly hostResolvConf: string
  readonly hostHosts: string
}

/** `/etc/resolv.conf`, `/etc/hosts` and `/etc/hostname` of a pod. Pure. */
export const etcFiles = (sources: EtcSources): readonly { readonly path: string; readonly content: string }[] => [
  { path: '/etc/resolv.conf', content: resolvConf(sources) },
  { path: '/etc/hosts', content: hosts(sources) },
  { path: '/etc/hostname', content: `${hostnameOf(sources.pod)}\n` },
]

interface Resolver {
  readonly nameservers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

/** The kubelet's limits. */
const MAX_NAMESERVERS = 3
const MAX_SEARCHES = 32

/** By the pod's `dnsPolicy`, with its `dnsConfig` added. resolv.conf knows no ports: a DNS server elsewhere than at 53 can't be named in it. */
const resolvConf = (sources: EtcSources): string => {
  const { pod } = sources
  const base = baseResolver(sources)
  const { nameservers = [], searches = [], options = [] } = pod.spec.dnsConfig ?? {}
  const own = options.map(({ name = '', value }) => (value === undefined || value === '' ? name : `${name}:${value}`))
  const overridden = new Set(own.map((option) => option.split(':')[0]))
  const resolver: Resolver = {
    nameservers: [...new Set([...base.nameservers, ...nameservers])].slice(0, MAX_NAMESERVERS),
    searches: [...new Set([...base.searches, ...searches])].slice(0, MAX_SEARCHES),
    options: [...base.options.filter((option) => !overridden.has(option.split(':')[0])), ...own],
  }
  return [
    ...(resolver.searches.length > 0 ? [`search ${resolver.searches.join(' ')}`] : []),
    ...resolver.nameservers.map((address) => `nameserver ${address}`),
    ...(resolver.options.length > 0 ? [`options ${resolver.options.join(' ')}`] : []),
    '',
  ].join('\n')
}

const DNS_PORT = 53

const baseResolver = ({ pod, dns, hostResolvConf }: EtcSources): Resolver => {
  const { dnsPolicy = 'ClusterFirst', hostNetwork = false } = pod.spec
  if (dnsPolicy === 'None') return { nameservers: [], searches: [], options: [] }
  const host = parseResolvConf(hostResolvConf)
  const isCluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork)
  if (!isCluster || dns.port !== DNS_PORT) return host
  const cluster = [`${pod.metadata.namespace}.svc.${dns.domain}`, `svc.${dns.domain}`, dns.domain]
  return { nameservers: [dns.address], searches: [...cluster, ...host.searches], options: ['ndots:5'] }
}

const parseResolvConf = (text: string): Resolver => {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/))
  const last = (key: string): readonly string[] =>
    lines
      .filter(([word]) => word === key)
      .at(-1)
      ?.slice(1) ?? []
  return {
    nameservers: lines.filter(([word]) => word === 'nameserver').flatMap(([, address]) => address ?? []),
    searches: last('search'),
    options: lines.filter(([word]) => word === 'options').flatMap((words) => words.slice(1)),
  }
}

const hosts = ({ pod, address, dns, hostHosts }: EtcSources): string => {
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`)
  if (pod.spec.hostNetwork) return [hostHosts.trimEnd(), ...aliases, ''].join('\n')
  const hostname = hostnameOf(pod)
  const { subdomain } = pod.spec
  const names = subdomain ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${dns.domain}\t${hostname}` : hostname
  return ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', `${address}\t${names}`, ...aliases, ''].join('\n')
}
