/** The kinds of value in a KubeProxyConfiguration. */
export type FieldType = 'string' | 'boolean' | 'integer' | 'number' | 'duration' | 'strings' | 'anything'

export interface Field {
  readonly type: FieldType
  /** Why it is known and changes nothing here. */
  readonly ignored?: string
}

const AT_ONCE = 'a change is worked on at once, and only what comes meanwhile waits'
const AUDITED = 'the kernel is compared with the intent by the audit; see --audit-interval'
const FEW_REQUESTS = 'three kinds are listed once and then watched'
const WINDOWS = 'it is for Windows'
const used = (type: FieldType): Field => ({ type })
const ignored = (type: FieldType, why: string): Field => ({ type, ignored: why })

/** Every field of `kubeproxy.config.k8s.io/v1alpha1`, by its path (k8s.io/kube-proxy config/v1alpha1, as of Kubernetes 1.35). */
export const FIELDS: Readonly<Record<string, Field>> = {
  mode: used('string'),
  clusterCIDR: used('string'),
  hostnameOverride: used('string'),
  nodePortAddresses: used('strings'),
  bindAddress: used('string'),
  healthzBindAddress: used('string'),
  metricsBindAddress: used('string'),
  bindAddressHardFail: used('boolean'),
  detectLocalMode: used('string'),
  'detectLocal.bridgeInterface': used('string'),
  'detectLocal.interfaceNamePrefix': used('string'),
  'clientConnection.kubeconfig': used('string'),
  'clientConnection.acceptContentTypes': ignored('string', 'the client speaks JSON'),
  'clientConnection.contentType': ignored('string', 'the client speaks JSON'),
  'clientConnection.qps': ignored('number', FEW_REQUESTS),
  'clientConnection.burst': ignored('integer', FEW_REQUESTS),
  'iptables.masqueradeAll': used('boolean'),
  'iptables.masqueradeBit': used('integer'),
  'iptables.localhostNodePorts': used('boolean'),
  'iptables.snatNodeInternalIP': ignored('boolean', 'the kernel chooses the address'),
  'iptables.syncPeriod': ignored('duration', AUDITED),
  'iptables.minSyncPeriod': ignored('duration', AT_ONCE),
  'ipvs.scheduler': used('string'),
  'ipvs.strictARP': used('boolean'),
  'ipvs.excludeCIDRs': used('strings'),
  'ipvs.tcpTimeout': used('duration'),
  'ipvs.tcpFinTimeout': used('duration'),
  'ipvs.udpTimeout': used('duration'),
  'ipvs.syncPeriod': ignored('duration', AUDITED),
  'ipvs.minSyncPeriod': ignored('duration', AT_ONCE),
  'nftables.masqueradeAll': used('boolean'),
  'nftables.masqueradeBit': ignored('integer', 'nftables mode needs no mark'),
  'nftables.syncPeriod': ignored('duration', AUDITED),
  'nftables.minSyncPeriod': ignored('duration', AT_ONCE),
  'conntrack.maxPerCore': used('integer'),
  'conntrack.min': used('integer'),
  'conntrack.tcpEstablishedTimeout': used('duration'),
  'conntrack.tcpCloseWaitTimeout': used('duration'),
  'conntrack.tcpBeLiberal': used('boolean'),
  'conntrack.udpTimeout': used('duration'),
  'conntrack.udpStreamTimeout': used('duration'),
  'logging.verbosity': used('integer'),
  'logging.format': ignored('string', 'the log is JSON lines'),
  'logging.flushFrequency': ignored('anything', 'each line is written at once'),
  'logging.vmodule': ignored('anything', 'there are no levels by module'),
  'logging.options': ignored('anything', 'the log is JSON lines'),
  showHiddenMetricsForVersion: ignored('string', 'no metric is hidden'),
  enableProfiling: ignored('boolean', 'NODE_OPTIONS=--cpu-prof makes a profile'),
  featureGates: ignored('anything', 'there are no gates'),
  oomScoreAdj: ignored('integer', 'the service manager or the pod sets it'),
  configSyncPeriod: ignored('duration', 'watches are never listed anew without need'),
  portRange: ignored('string', 'kube-proxy does not use it either'),
  windowsRunAsService: ignored('boolean', WINDOWS),
  'winkernel.networkName': ignored('string', WINDOWS),
  'winkernel.sourceVip': ignored('string', WINDOWS),
  'winkernel.enableDSR': ignored('boolean', WINDOWS),
  'winkernel.rootHnsEndpointName': ignored('string', WINDOWS),
  'winkernel.forwardHealthCheckVip': ignored('boolean', WINDOWS),
}

/** What only the command line can say, in the same form. */
export const FLAG_FIELDS: Readonly<Record<string, Field>> = {
  master: used('string'),
  serviceCIDR: used('strings'),
  auditInterval: used('duration'),
  logLevel: used('string'),
  ebpfCgroup: used('string'),
}
