import { type Command, Option } from 'commander'

/** An option of `fairway proxy`, under kube-proxy's name where kube-proxy has it. */
export interface ProxyFlag {
  /** As commander takes it: `--cluster-cidr <cidrs>`, `--masquerade-all [bool]`. */
  readonly flags: string
  /** The fields of a KubeProxyConfiguration that it sets; none for those that `commands/proxy.ts` reads itself. */
  readonly paths: readonly string[]
  readonly help: string
  /** Known, and without effect: taken so that a command line for kube-proxy works, and left out of the help. */
  readonly isHidden?: boolean
}

const flag = (flags: string, path: string, help: string): ProxyFlag => ({ flags, paths: path === '' ? [] : [path], help })
const hidden = (flags: string, path: string): ProxyFlag => ({ flags, paths: [path], help: '', isHidden: true })

export const PROXY_FLAGS: readonly ProxyFlag[] = [
  flag('--config <file>', '', 'a KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1); flags win over it'),
  flag('--cleanup', '', 'remove every trace of every mode from this machine, and end'),
  flag('--table-name <name>', '', 'names what is made in the kernel, so that two proxies live side by side (default: fairway)'),
  flag(
    '--kubeconfig <file>',
    'clientConnection.kubeconfig',
    'how to reach the API server; in a pod its service account is the default',
  ),
  flag('--master <url>', 'master', 'the API server, instead of the one in the kubeconfig'),
  flag('--hostname-override <name>', 'hostnameOverride', 'the name of the Node that this is (default: the host name)'),
  flag('--proxy-mode <mode>', 'mode', 'auto, nftables, iptables, ipvs, ebpf or userspace (default: auto)'),
  flag(
    '--cluster-cidr <cidrs>',
    'clusterCIDR',
    'the ranges of pods, by which they are told from the outside (default: the podCIDRs of the Node)',
  ),
  flag('--service-cidr <cidrs>', 'serviceCIDR', 'the ranges of ClusterIPs (default: the ServiceCIDR objects)'),
  flag(
    '--nodeport-addresses <cidrs>',
    'nodePortAddresses',
    'where NodePorts are served: CIDRs, primary, localhost, all (default: primary; all with iptables and ipvs)',
  ),
  flag('--bind-address <address>', 'bindAddress', 'this address of the node, where its Node object does not tell'),
  flag(
    '--detect-local-mode <mode>',
    'detectLocalMode',
    'how pods are told: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix',
  ),
  flag('--pod-bridge-interface <name>', 'detectLocal.bridgeInterface', 'the bridge of the pods, for BridgeInterface'),
  flag(
    '--pod-interface-name-prefix <prefix>',
    'detectLocal.interfaceNamePrefix',
    'how the names of interfaces with addresses in the ranges of pods begin, for InterfaceNamePrefix',
  ),
  {
    flags: '--masquerade-all [bool]',
    paths: ['iptables.masqueradeAll', 'nftables.masqueradeAll'],
    help: 'rewrite the source of everything that goes to a ClusterIP',
  },
  flag(
    '--iptables-masquerade-bit <bit>',
    'iptables.masqueradeBit',
    'the bit of the packet mark that iptables and ipvs use (default: 14)',
  ),
  flag('--iptables-localhost-nodeports [bool]', 'iptables.localhostNodePorts', 'NodePorts on loopback too'),
  flag('--ipvs-scheduler <name>', 'ipvs.scheduler', 'how ipvs chooses (default: rr)'),
  flag('--ipvs-strict-arp [bool]', 'ipvs.strictARP', 'do not answer ARP for addresses of Services'),
  flag('--ipvs-tcp-timeout <duration>', 'ipvs.tcpTimeout', 'how long ipvs remembers silent TCP connections'),
  flag('--ipvs-tcpfin-timeout <duration>', 'ipvs.tcpFinTimeout', 'the same after a FIN'),
  flag('--ipvs-udp-timeout <duration>', 'ipvs.udpTimeout', 'the same for UDP'),
  flag('--ipvs-exclude-cidrs <cidrs>', 'ipvs.excludeCIDRs', 'ranges in which virtual servers are left alone'),
  flag('--ebpf-cgroup <folder>', 'ebpfCgroup', 'the cgroup whose processes ebpf mode serves (default: all of them)'),
  flag(
    '--healthz-bind-address <address>',
    'healthzBindAddress',
    'where /healthz and /livez are served; empty for nowhere (default: 127.0.0.1:10256)',
  ),
  flag(
    '--metrics-bind-address <address>',
    'metricsBindAddress',
    'where /metrics, /proxyMode and /explain are served; empty for nowhere (default: 127.0.0.1:10249)',
  ),
  flag(
    '--bind-address-hard-fail [bool]',
    'bindAddressHardFail',
    'end when one of the two addresses is taken, instead of trying again',
  ),
  flag(
    '--conntrack-max-per-core <count>',
    'conntrack.maxPerCore',
    'raise the size of the connection table to this for each core',
  ),
  flag('--conntrack-min <count>', 'conntrack.min', 'and at least to this'),
  flag(
    '--conntrack-tcp-timeout-established <duration>',
    'conntrack.tcpEstablishedTimeout',
    'how long idle TCP connections are kept',
  ),
  flag('--conntrack-tcp-timeout-close-wait <duration>', 'conntrack.tcpCloseWaitTimeout', 'the same in CLOSE_WAIT'),
  flag('--conntrack-tcp-be-liberal [bool]', 'conntrack.tcpBeLiberal', 'take packets outside of the TCP window for valid'),
  flag('--conntrack-udp-timeout <duration>', 'conntrack.udpTimeout', 'how long UDP flows without an answer are kept'),
  flag('--conntrack-udp-timeout-stream <duration>', 'conntrack.udpStreamTimeout', 'the same with answers'),
  flag(
    '--audit-interval <duration>',
    'auditInterval',
    'between two comparisons of the kernel with the intent; 0 only after a foreign change (default: 5m)',
  ),
  flag('--log-level <level>', 'logLevel', 'debug, info, warn or error (default: info)'),
  flag('-v, --v <level>', 'logging.verbosity', 'the level as kube-proxy counts: 4 and more is debug'),
  hidden('--config-sync-period <duration>', 'configSyncPeriod'),
  hidden('--feature-gates <gates>', 'featureGates'),
  hidden('--iptables-min-sync-period <duration>', 'iptables.minSyncPeriod'),
  hidden('--iptables-sync-period <duration>', 'iptables.syncPeriod'),
  hidden('--ipvs-min-sync-period <duration>', 'ipvs.minSyncPeriod'),
  hidden('--ipvs-sync-period <duration>', 'ipvs.syncPeriod'),
  hidden('--kube-api-burst <count>', 'clientConnection.burst'),
  hidden('--kube-api-content-type <type>', 'clientConnection.contentType'),
  hidden('--kube-api-qps <count>', 'clientConnection.qps'),
  hidden('--log-flush-frequency <duration>', 'logging.flushFrequency'),
  hidden('--logging-format <format>', 'logging.format'),
  hidden('--nodeport-port-range <range>', 'portRange'),
  hidden('--oom-score-adj <score>', 'oomScoreAdj'),
  hidden('--profiling [bool]', 'enableProfiling'),
  hidden('--proxy-port-range <range>', 'portRange'),
  hidden('--show-hidden-metrics-for-version <version>', 'showHiddenMetricsForVersion'),
]

/** Adds all of them to a command. */
export const withProxyFlags = (command: Command): Command => {
  for (const each of PROXY_FLAGS) command.addOption(optionOf(each))
  return command
}

/** What the user gave, by the option's name without dashes. */
export type GivenFlags = Readonly<Record<string, unknown>>

/** The flags that were given and set fields, as text. */
export const givenFlags = (
  given: GivenFlags,
): readonly { readonly flag: string; readonly path: string; readonly text: string }[] =>
  PROXY_FLAGS.flatMap((each) => {
    const option = optionOf(each)
    const value = given[option.attributeName()]
    return value === undefined ? [] : each.paths.map((path) => ({ flag: option.long ?? each.flags, path, text: String(value) }))
  })

/** A boolean without a word means true, as in Go. */
const optionOf = ({ flags, help, isHidden = false }: ProxyFlag): Option => {
  const option = new Option(flags, help).hideHelp(isHidden)
  return flags.endsWith('[bool]') ? option.preset('true') : option
}
