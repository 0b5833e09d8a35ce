import { describe, expect, it } from 'vitest'
import { type Flag, type ProxySettings, readConfiguration, readFlags, resolveSettings } from './index.ts'

const HEAD = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'

const read = (yaml: string, flags: readonly Flag[] = []) => {
  const file = readConfiguration(HEAD + yaml, 'f.yaml')
  const line = readFlags(flags)
  const { settings, problems, warnings } = resolveSettings([file.values, line.values], 'Host-1')
  return {
    settings,
    problems: [...file.problems, ...line.problems, ...problems].map(({ where, reason }) => `${where}: ${reason}`),
    warnings: [...file.warnings, ...line.warnings, ...warnings],
  }
}

const flag = (name: string, path: string, text: string): Flag => ({ flag: `--${name}`, path, text })

/** What kubeadm writes: nearly every field, nearly all of them empty. */
const KUBEADM = `
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""
`

describe('a KubeProxyConfiguration', () => {
  it('as kubeadm writes it is taken without a word', () => {
    const { settings, problems, warnings } = read(KUBEADM)
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] })
    expect(settings).toEqual({
      mode: 'auto',
      kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf',
      nodeName: 'host-1',
      pods: { kind: 'ranges', cidrs: ['10.244.0.0/16'] },
      healthz: { address: '127.0.0.1', port: 10_256 },
      metrics: { address: '127.0.0.1', port: 10_249 },
      bindHardFail: false,
      masqueradeAll: { nftables: false, iptables: false },
      iptables: {},
      ipvs: { strictARP: false },
      conntrack: { tcpBeLiberal: false, udpTimeoutMs: 0, udpStreamTimeoutMs: 0 },
      logLevel: 'info',
    } satisfies ProxySettings)
  })

  it.each<[string, string, Partial<ProxySettings>]>([
    ['the mode', 'mode: ipvs', { mode: 'ipvs' }],
    [
      'both families of pods',
      'clusterCIDR: "10.244.0.0/16, fd00:1::/56"',
      { pods: { kind: 'ranges', cidrs: ['10.244.0.0/16', 'fd00:1::/56'] } },
    ],
    ['a range with host bits, as Go does', 'clusterCIDR: 10.244.3.7/16', { pods: { kind: 'ranges', cidrs: ['10.244.0.0/16'] } }],
    ['pods by the Node', 'clusterCIDR: 10.244.0.0/16\ndetectLocalMode: NodeCIDR', { pods: { kind: 'node' } }],
    [
      'pods by a bridge',
      'detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0}',
      { pods: { kind: 'bridge', name: 'cni0' } },
    ],
    [
      'pods by interfaces',
      'detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: br-}',
      { pods: { kind: 'interfaces', prefix: 'br-' } },
    ],
    ['the name of the node', 'hostnameOverride: " Worker-1 "', { nodeName: 'worker-1' }],
    [
      'NodePort addresses',
      'nodePortAddresses: [primary, 192.0.2.0/24, 192.0.2.7]',
      { nodePortRanges: [{ kind: 'primary' }, { kind: 'range', cidr: '192.0.2.0/24' }, { kind: 'range', cidr: '192.0.2.7/32' }] },
    ],
    ['the address of the node', 'bindAddress: 192.0.2.1', { bindAddress: '192.0.2.1' }],
    ['where health is told', 'healthzBindAddress: "[::]:10300"', { healthz: { address: '::', port: 10_300 } }],
    ['a health address without a port', 'healthzBindAddress: 0.0.0.0', { healthz: { address: '0.0.0.0', port: 10_256 } }],
    ['IPv6 without a port', 'metricsBindAddress: "::1"', { metrics: { address: '::1', port: 10_249 } }],
    [
      'options of iptables',
      'iptables: {masqueradeAll: true, masqueradeBit: 15, localhostNodePorts: false}',
      { masqueradeAll: { nftables: false, iptables: true }, iptables: { masqueradeBit: 15, localhostNodePorts: false } },
    ],
    ['options of ipvs', 'ipvs: {scheduler: lc, strictARP: true}', { ipvs: { scheduler: 'lc', strictARP: true } }],
    [
      'timeouts of ipvs, and whose virtual servers are others',
      'ipvs: {tcpTimeout: 15m, tcpFinTimeout: 0s, udpTimeout: 1500ms, excludeCIDRs: [192.0.2.0/24, fd00::/64]}',
      { ipvs: { timeouts: { tcp: 900, udp: 2 }, excludeCIDRs: ['192.0.2.0/24', 'fd00::/64'] } },
    ],
    [
      'conntrack',
      'conntrack: {maxPerCore: 0, min: 1000, tcpEstablishedTimeout: 24h0m0s, tcpCloseWaitTimeout: 1h, udpTimeout: 30s}',
      {
        conntrack: {
          maxPerCore: 0,
          min: 1_000,
          tcpEstablishedTimeoutMs: 86_400_000,
          tcpCloseWaitTimeoutMs: 3_600_000,
          udpTimeoutMs: 30_000,
        },
      },
    ],
    ['how much is logged', 'logging: {verbosity: 4}', { logLevel: 'debug' }],
  ])('tells %s', (_title, yaml, expected) => {
    const { settings, problems, warnings } = read(yaml)
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] })
    expect(settings).toMatchObject(expected)
  })

  it('names fields that have no effect, and those that nobody knows', () => {
    const { problems, warnings } = read(
      'iptables: {minSyncPeriod: 5s, colour: red}\nfeatureGates: {A: true}\nwinkernel: {enableDSR: true}\nnew: 1\n',
    )
    expect(problems).toEqual([])
    expect(warnings).toEqual([
      'f.yaml: iptables.minSyncPeriod has no effect: a change is worked on at once, and only what comes meanwhile waits',
      'f.yaml: iptables.colour is unknown and has no effect',
      'f.yaml: featureGates has no effect: there are no gates',
      'f.yaml: winkernel.enableDSR has no effect: it is for Windows',
      'f.yaml: new is unknown and has no effect',
    ])
  })

  it('tells all that is wrong at once, with its path', () => {
    const { problems } = read(`mode: kernelspace
clusterCIDR: [10.0.0.0/8]
bindAddressHardFail: "yes"
iptables: {masqueradeBit: 32, minSyncPeriod: 5}
ipvs: nonsense
conntrack: {maxPerCore: -1, tcpCloseWaitTimeout: soon, min: 1.5}
nodePortAddresses: [nowhere]
healthzBindAddress: localhost:10256
metricsBindAddress: 127.0.0.1:99999
detectLocalMode: Magic
`)
    expect(problems).toEqual([
      'f.yaml: clusterCIDR: must be a string, is ["10.0.0.0/8"]',
      'f.yaml: bindAddressHardFail: must be true or false, is "yes"',
      'f.yaml: iptables.minSyncPeriod: must be a duration such as "30s", is 5',
      'f.yaml: ipvs: must be a map of fields, is "nonsense"',
      'f.yaml: conntrack.tcpCloseWaitTimeout: must be a duration such as "30s", is "soon"',
      'f.yaml: conntrack.min: must be a whole number, is 1.5',
      'f.yaml: mode: must be one of auto, nftables, iptables, ipvs, ebpf, userspace, is "kernelspace"',
      'f.yaml: detectLocalMode: must be ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix, is "Magic"',
      'f.yaml: nodePortAddresses: "nowhere" is neither a CIDR nor primary, localhost or all',
      'f.yaml: healthzBindAddress: must be address:port such as 127.0.0.1:10256, is "localhost:10256"',
      'f.yaml: metricsBindAddress: must be address:port such as 127.0.0.1:10249, is "127.0.0.1:99999"',
      'f.yaml: iptables.masqueradeBit: must be from 0 to 31, is 32',
      'f.yaml: conntrack.maxPerCore: must not be negative',
    ])
  })

  it.each([
    ['BridgeInterface', 'detectLocal.bridgeInterface (--pod-bridge-interface)'],
    ['InterfaceNamePrefix', 'detectLocal.interfaceNamePrefix (--pod-interface-name-prefix)'],
  ])('asks for what %s needs', (mode, wanted) => {
    expect(read(`detectLocalMode: ${mode}\n`).problems).toEqual([`f.yaml: detectLocalMode: ${mode} needs ${wanted}`])
  })

  it.each([
    [
      'another kind',
      'apiVersion: v1\nkind: ConfigMap\n',
      'holds no KubeProxyConfiguration (apiVersion: kubeproxy.config.k8s.io/v1alpha1)',
    ],
    ['nothing', '', 'holds no KubeProxyConfiguration (apiVersion: kubeproxy.config.k8s.io/v1alpha1)'],
    [
      'another version',
      'apiVersion: kubeproxy.config.k8s.io/v1\nkind: KubeProxyConfiguration\n',
      'apiVersion must be kubeproxy.config.k8s.io/v1alpha1, is "kubeproxy.config.k8s.io/v1"',
    ],
    ['two of them', `${HEAD}---\n${HEAD}`, 'holds 2 documents of kind KubeProxyConfiguration; keep one'],
    ['half of a document', `${HEAD}mode: [`, expect.stringMatching(/^is no YAML: /)],
    ['a field twice', `${HEAD}mode: ipvs\nmode: nftables\n`, expect.stringMatching(/^is no YAML: Map keys must be unique/)],
    ['bytes', '\u0000\u0001{', expect.stringMatching(/^(is no YAML: |holds no )/)],
  ])('refuses a file that holds %s', (_title, text, reason) => {
    expect(readConfiguration(text, 'f.yaml').problems).toEqual([{ where: 'f.yaml', reason }])
  })

  it('is found among other documents', () => {
    const { problems, values } = readConfiguration(`apiVersion: v1\nkind: ConfigMap\n---\n${HEAD}mode: ipvs\n`, 'f.yaml')
    expect(problems).toEqual([])
    expect(values.get('mode')?.value).toBe('ipvs')
  })
})

describe('flags', () => {
  it('win over the file', () => {
    const { settings } = read('mode: ipvs\nclusterCIDR: 10.0.0.0/8\n', [flag('proxy-mode', 'mode', 'nftables')])
    expect(settings).toMatchObject({ mode: 'nftables', pods: { kind: 'ranges', cidrs: ['10.0.0.0/8'] } })
  })

  it('turn a server off when they are empty', () => {
    const { settings } = read('', [
      flag('healthz-bind-address', 'healthzBindAddress', ''),
      flag('metrics-bind-address', 'metricsBindAddress', ''),
    ])
    expect(settings.healthz).toBeUndefined()
    expect(settings.metrics).toBeUndefined()
  })

  it.each<[string, Flag, Partial<ProxySettings>]>([
    [
      'lists',
      flag('nodeport-addresses', 'nodePortAddresses', '192.0.2.0/24, primary'),
      { nodePortRanges: [{ kind: 'range', cidr: '192.0.2.0/24' }, { kind: 'primary' }] },
    ],
    [
      'ranges of Services',
      flag('service-cidr', 'serviceCIDR', '10.96.0.0/16,fd00:96::/112'),
      { serviceCIDRs: ['10.96.0.0/16', 'fd00:96::/112'] },
    ],
    ['durations', flag('audit-interval', 'auditInterval', '1m30s'), { auditIntervalMs: 90_000 }],
    ['numbers', flag('iptables-masquerade-bit', 'iptables.masqueradeBit', '3'), { iptables: { masqueradeBit: 3 } }],
    [
      'booleans',
      flag('masquerade-all', 'iptables.masqueradeAll', 'true'),
      { masqueradeAll: { nftables: false, iptables: true } },
    ],
    ['levels', flag('log-level', 'logLevel', 'warn'), { logLevel: 'warn' }],
  ])('give %s', (_title, given, expected) => {
    expect(read('', [given])).toMatchObject({ settings: expected, problems: [] })
  })

  it.each([
    [flag('service-cidr', 'serviceCIDR', '10.96.0.0'), '--service-cidr: "10.96.0.0" is not a CIDR such as 10.96.0.0/16'],
    [flag('masquerade-all', 'iptables.masqueradeAll', 'maybe'), '--masquerade-all: must be true or false, is "maybe"'],
    [flag('audit-interval', 'auditInterval', '-1s'), '--audit-interval: must be a duration such as "30s", is "-1s"'],
    [flag('v', 'logging.verbosity', 'x'), '--v: must be a whole number, is "x"'],
  ])('are refused by their own name: %o', (given, problem) => {
    expect(read('', [given]).problems).toEqual([problem])
  })

  it('that change nothing are named', () => {
    expect(read('', [flag('kube-api-qps', 'clientConnection.qps', '50')]).warnings).toEqual([
      '--kube-api-qps has no effect: three kinds are listed once and then watched',
    ])
  })
})
