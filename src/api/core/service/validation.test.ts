import { describe, expect, it } from 'vitest'
import { problemsOf } from '../../testing/index.ts'
import { serviceKind } from './kind.ts'

type Raw = Readonly<Record<string, unknown>>

const web = (spec: Raw, metadata: Raw = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', ...metadata },
  spec,
})

const one = [{ port: 80 }]
const rule1123Label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"

describe('a Service is accepted', () => {
  it.each<[string, Raw]>([
    ['with one port', { ports: one }],
    [
      'with the same port over two protocols',
      {
        ports: [
          { name: 'a', port: 53 },
          { name: 'b', port: 53, protocol: 'UDP' },
        ],
      },
    ],
    [
      'with the same node port over two protocols',
      {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 53, nodePort: 30053 },
          { name: 'b', port: 53, protocol: 'UDP', nodePort: 30053 },
        ],
      },
    ],
    ['headless without ports', { clusterIP: 'None' }],
    [
      'dual-stack',
      {
        ports: one,
        clusterIP: '10.0.0.1',
        clusterIPs: ['10.0.0.1', '2001:db8::1'],
        ipFamilies: ['IPv4', 'IPv6'],
        ipFamilyPolicy: 'RequireDualStack',
      },
    ],
    ['with an external name that ends in a dot', { type: 'ExternalName', externalName: 'example.com.' }],
    ['with an external name that looks like an address', { type: 'ExternalName', externalName: '10.0.0.1' }],
    ['with a named target port', { ports: [{ port: 80, targetPort: 'http-web' }] }],
    ['with a known appProtocol', { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] }],
    [
      'with affinity',
      { ports: one, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86400 } } },
    ],
    [
      'with external addresses and a policy for them',
      { ports: one, externalIPs: ['192.0.2.1', '2001:db8::7'], externalTrafficPolicy: 'Local' },
    ],
    [
      'with source ranges that have blanks',
      { type: 'LoadBalancer', ports: one, loadBalancerSourceRanges: [' 10.0.0.0/8 ', '2001:db8::/32'] },
    ],
    ['with a load balancer class', { type: 'LoadBalancer', ports: one, loadBalancerClass: 'example.com/internal' }],
    ['with traffic distribution', { ports: one, trafficDistribution: 'PreferSameNode' }],
    ['with local health checks that have no port yet', { type: 'LoadBalancer', ports: one, externalTrafficPolicy: 'Local' }],
  ])('%s', (_, spec) => {
    expect(problemsOf(serviceKind, web(spec))).toEqual([])
  })
})

describe('a Service is refused', () => {
  it.each<[string, Raw, string[]]>([
    ['without ports', {}, ['spec.ports: Required']],
    [
      'of an unknown type',
      { type: 'Magic', ports: one },
      ['spec.type: NotSupported supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
    ],
    [
      'with ports out of range',
      {
        ports: [
          { name: 'a', port: 0, targetPort: 1 },
          { name: 'b', port: 65536, targetPort: 1 },
          { name: 'c', port: -1, targetPort: 70000 },
        ],
      },
      [
        'spec.ports[0].port: Invalid must be between 1 and 65535, inclusive',
        'spec.ports[1].port: Invalid must be between 1 and 65535, inclusive',
        'spec.ports[2].port: Invalid must be between 1 and 65535, inclusive',
        'spec.ports[2].targetPort: Invalid must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'with two ports without names',
      { ports: [{ port: 80 }, { port: 81 }] },
      ['spec.ports[0].name: Required', 'spec.ports[1].name: Required'],
    ],
    [
      'with port names that repeat or are none',
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
          { name: 'A.b', port: 82 },
          { name: 'x.y', port: 83 },
        ],
      },
      [
        'spec.ports[1].name: Duplicate',
        `spec.ports[2].name: Invalid ${rule1123Label}`,
        'spec.ports[3].name: Invalid must not contain dots',
      ],
    ],
    [
      'with the same port twice',
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80, protocol: 'TCP' },
        ],
      },
      ['spec.ports[1]: Duplicate'],
    ],
    [
      'with an unknown protocol',
      { ports: [{ port: 80, protocol: 'HTTP' }] },
      ['spec.ports[0].protocol: NotSupported supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      'with a target port that is no name',
      { ports: [{ port: 80, targetPort: 'Not_A_Port--name-' }] },
      [
        'spec.ports[0].targetPort: Invalid must be no more than 15 bytes',
        'spec.ports[0].targetPort: Invalid must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
        'spec.ports[0].targetPort: Invalid must not contain consecutive hyphens',
        'spec.ports[0].targetPort: Invalid must not begin or end with a hyphen',
      ],
    ],
    [
      'with a number as text for target port',
      { ports: [{ port: 80, targetPort: '8080' }] },
      ['spec.ports[0].targetPort: Invalid must contain at least one letter (a-z)'],
    ],
    [
      'with a bad appProtocol',
      { ports: [{ port: 80, appProtocol: 'a/b/c' }] },
      [
        "spec.ports[0].appProtocol: Invalid a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      ],
    ],
    [
      'with a node port on type ClusterIP',
      { ports: [{ port: 80, nodePort: 30080 }] },
      ["spec.ports[0].nodePort: Forbidden may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'with the same node port twice',
      {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80, nodePort: 30080 },
          { name: 'b', port: 81, nodePort: 30080 },
        ],
      },
      ['spec.ports[1].nodePort: Duplicate'],
    ],
    [
      'headless and NodePort',
      { type: 'NodePort', clusterIP: 'None', ports: one },
      ["spec.clusterIPs[0]: Invalid may not be set to 'None' for NodePort services"],
    ],
    [
      'headless and LoadBalancer',
      { type: 'LoadBalancer', clusterIP: 'None', ports: one },
      ["spec.clusterIPs[0]: Invalid may not be set to 'None' for LoadBalancer services"],
    ],
    [
      'with addresses that differ',
      { ports: one, clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.2'] },
      ['spec.clusterIPs: Invalid first value must match `clusterIP`'],
    ],
    [
      'with the plural address only',
      { ports: one, clusterIPs: ['10.0.0.2'] },
      ['spec.clusterIPs: Invalid must be empty when `clusterIP` is not specified'],
    ],
    [
      'with an address that is none',
      { ports: one, clusterIP: '10.0.0' },
      ['spec.clusterIPs[0]: Invalid must be a valid IP address,'],
    ],
    ['with leading zeros', { ports: one, clusterIP: '010.0.0.1' }, ['spec.clusterIPs[0]: Invalid must not have leading 0s']],
    [
      'with an IPv4-mapped address',
      { ports: one, clusterIP: '::ffff:10.0.0.1' },
      ['spec.clusterIPs[0]: Invalid must not be an IPv4-mapped IPv6 address'],
    ],
    [
      'with None beside an address',
      { ports: one, clusterIP: 'None', clusterIPs: ['None', '10.0.0.1'] },
      ["spec.clusterIPs: Invalid 'None' must be the first and only value"],
    ],
    [
      'with two addresses of a family',
      { ports: one, clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', '10.0.0.2'] },
      ['spec.clusterIPs: Invalid may specify no more than one IP for each IP family'],
    ],
    [
      'with three addresses',
      { ports: one, clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', '2001:db8::1', '10.0.0.2'] },
      ['spec.clusterIPs: Invalid may only hold up to 2 values'],
    ],
    [
      'with families in another order',
      { ports: one, clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', '2001:db8::1'], ipFamilies: ['IPv6', 'IPv4'] },
      [
        'spec.clusterIPs[0]: Invalid expected an IPv6 value as indicated by `ipFamilies[0]`',
        'spec.clusterIPs[1]: Invalid expected an IPv4 value as indicated by `ipFamilies[1]`',
      ],
    ],
    [
      'with families that repeat or are none',
      { ports: one, ipFamilies: ['IPv4', 'IPv4', 'IPX'] },
      ['spec.ipFamilies[1]: Duplicate', 'spec.ipFamilies[2]: NotSupported supported values: "IPv4", "IPv6"'],
    ],
    [
      'with an unknown family policy',
      { ports: one, ipFamilyPolicy: 'Both' },
      ['spec.ipFamilyPolicy: NotSupported supported values: "PreferDualStack", "RequireDualStack", "SingleStack"'],
    ],
    [
      'with affinity for too long',
      { ports: one, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } },
      ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid must be greater than 0 and less than 86400'],
    ],
    [
      'with affinity for no time',
      { ports: one, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } },
      ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid must be greater than 0 and less than 86400'],
    ],
    [
      'with an unknown affinity',
      { ports: one, sessionAffinity: 'Cookie' },
      ['spec.sessionAffinity: NotSupported supported values: "ClientIP", "None"'],
    ],
    [
      'with external addresses that nobody can reach',
      { ports: one, externalIPs: ['0.0.0.0', '127.0.0.1', '169.254.1.1', '224.0.0.1', 'fe80::1', 'web'] },
      [
        'spec.externalIPs[0]: Invalid may not be unspecified (0.0.0.0)',
        'spec.externalIPs[1]: Invalid may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'spec.externalIPs[2]: Invalid may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        'spec.externalIPs[3]: Invalid may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
        'spec.externalIPs[4]: Invalid may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        'spec.externalIPs[5]: Invalid must be a valid IP address,',
      ],
    ],
    ['of type ExternalName without a name', { type: 'ExternalName' }, ['spec.externalName: Required']],
    [
      'with an external name in capitals',
      { type: 'ExternalName', externalName: 'Example.com' },
      [
        "spec.externalName: Invalid a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
      ],
    ],
    [
      'of type ExternalName with addresses and families',
      { type: 'ExternalName', externalName: 'a.b', clusterIP: '10.0.0.1', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
      [
        'spec.clusterIPs: Forbidden may not be set for ExternalName services',
        'spec.ipFamilies: Forbidden may not be set for ExternalName services',
        'spec.ipFamilyPolicy: Forbidden may not be set for ExternalName services',
      ],
    ],
    [
      'with an external policy that has nothing to apply to',
      { ports: one, externalTrafficPolicy: 'Local' },
      ['spec.externalTrafficPolicy: Invalid may only be set for externally-accessible services'],
    ],
    [
      'with unknown policies',
      { type: 'NodePort', ports: one, externalTrafficPolicy: 'Near', internalTrafficPolicy: 'Far' },
      [
        'spec.externalTrafficPolicy: NotSupported supported values: "Cluster", "Local"',
        'spec.internalTrafficPolicy: NotSupported supported values: "Cluster", "Local"',
      ],
    ],
    [
      'with an unknown traffic distribution',
      { ports: one, trafficDistribution: 'PreferFar' },
      ['spec.trafficDistribution: NotSupported supported values: "PreferClose", "PreferSameNode", "PreferSameZone"'],
    ],
    [
      'with a health check port that has no use',
      { ports: one, healthCheckNodePort: 30000 },
      ["spec.healthCheckNodePort: Invalid may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"],
    ],
    [
      'with load balancer fields on another type',
      { ports: one, loadBalancerSourceRanges: ['10.0.0.0/8'], loadBalancerClass: 'a.b/c', allocateLoadBalancerNodePorts: false },
      [
        "spec.loadBalancerSourceRanges: Forbidden may only be used when `type` is 'LoadBalancer'",
        "spec.allocateLoadBalancerNodePorts: Forbidden may only be used when `type` is 'LoadBalancer'",
        "spec.loadBalancerClass: Forbidden may only be used when `type` is 'LoadBalancer'",
      ],
    ],
    [
      'with source ranges that are none',
      {
        type: 'LoadBalancer',
        ports: one,
        loadBalancerSourceRanges: ['10.0.0.0', '10.0.0.1/8', '10.0.0.0/08', '::ffff:10.0.0.0/104'],
      },
      [
        'spec.loadBalancerSourceRanges[0]: Invalid must be a valid CIDR value,',
        'spec.loadBalancerSourceRanges[1]: Invalid must not have bits set beyond the prefix length',
        'spec.loadBalancerSourceRanges[2]: Invalid must not have leading 0s in IP or prefix length',
        'spec.loadBalancerSourceRanges[3]: Invalid must not have an IPv4-mapped IPv6 address',
      ],
    ],
    [
      'with a bad load balancer class',
      { type: 'LoadBalancer', ports: one, loadBalancerClass: '' },
      [
        'spec.loadBalancerClass: Invalid name part must be non-empty',
        "spec.loadBalancerClass: Invalid name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      ],
    ],
    [
      'with a selector that is none',
      { ports: one, selector: { app: 'not a label' } },
      [
        "spec.selector: Invalid a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      ],
    ],
  ])('%s', (_, spec, expected) => {
    expect(problemsOf(serviceKind, web(spec))).toEqual(expected)
  })

  it('when its two topology annotations contradict each other', () => {
    const annotations = {
      'service.kubernetes.io/topology-mode': 'Auto',
      'service.kubernetes.io/topology-aware-hints': 'Disabled',
    }
    expect(problemsOf(serviceKind, web({ ports: one }, { annotations }))).toEqual([
      'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
    ])
  })

  it('when the annotation from before the field holds no ranges', () => {
    const annotations = { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8, nowhere' }
    expect(problemsOf(serviceKind, web({ type: 'LoadBalancer', ports: one }, { annotations }))).toEqual([
      'metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid must be a valid CIDR value,',
    ])
  })

  it('with every problem at once', () => {
    const all = problemsOf(
      serviceKind,
      web({ type: 'NodePort', ports: [{ port: 0, protocol: 'X' }], sessionAffinity: 'Y', externalIPs: ['z'] }),
    )
    expect(all).toHaveLength(5)
  })
})
