import { describe, expect, it } from 'vitest'
import { renderRule } from '../../../kernel/iptables/index.ts'
import { type NodeView, serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice, vips } from '../../../model/testing/index.ts'
import { endpointChain, portChains } from './names.ts'
import { renderForwarding } from './render.ts'

describe('names', () => {
  it('are those that kube-proxy gives', () => {
    expect(portChains('ns1/svc1:p80', 'tcp').cluster).toBe('KUBE-SVC-XPGD46QRK7WJZT7O')
    expect(portChains('ns2/svc2:p80', 'tcp').external).toBe('KUBE-EXT-GNZBNJ2PO5MGZ6GT')
    expect(portChains('ns5/svc5:p80', 'tcp').firewall).toBe('KUBE-FW-NUKIZ6OKUXPJNT4C')
    expect(endpointChain('ns1/svc1:p80', 'tcp', '10.180.0.1:80')).toBe('KUBE-SEP-SXIVWICOYRO3J4NJ')
    expect(endpointChain('ns4/svc4:p80', 'tcp', '10.180.0.4:80')).toBe('KUBE-SEP-UKSFD7AGPMPPLUHC')
  })
})

const node: NodeView = { name: 'n1', addresses: ['192.0.2.1'], podCIDRs: ['10.0.0.0/8'], nodePortAddresses: ['192.0.2.1'] }

interface Scenario {
  readonly spec: Partial<Parameters<typeof service>[1]> & object
  readonly pods: readonly (readonly [string, string])[]
}

const rendered = ({ spec, pods }: Scenario): readonly string[] => {
  const object = service(
    'svc2',
    {
      clusterIP: '172.30.0.42',
      clusterIPs: ['172.30.0.42'],
      type: 'LoadBalancer',
      ports: [port(80, { name: 'p80', nodePort: 3001 })],
      ...spec,
    },
    { metadata: { name: 'svc2', namespace: 'ns2' }, status: vips('1.2.3.4') },
  )
  const endpoints = pods.map(([address, nodeName]) => endpoint(address, { nodeName }))
  const slices = [
    slice('svc2', endpoints, {
      ports: [{ port: 80, protocol: 'TCP', name: 'p80' }],
      metadata: { name: 'svc2-1', namespace: 'ns2' },
    }),
  ]
  const meaning = serviceForwarding({ service: object, slices, node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  const { chains, items } = renderForwarding(meaning.forwarding, {
    family: 'IPv4',
    node,
    serviceCIDRs: ['172.30.0.0/16'],
    masqueradeMark: 0x4000,
    localhostNodePorts: false,
    isConntrackLiberal: false,
    hasComments: true,
  })
  return [
    ...items.map(({ table, chain, rule }) => `${table} -A ${chain} ${renderRule(rule)}`),
    ...chains.flatMap(({ table, chain, rules }) => rules.map((rule) => `${table} -A ${chain} ${renderRule(rule)}`)),
  ]
}

describe('a Service', () => {
  it('of policy Local with endpoints elsewhere has the short circuits, and drops the rest', () => {
    expect(rendered({ spec: { externalTrafficPolicy: 'Local' }, pods: [['10.180.0.2', 'n2']] })).toMatchInlineSnapshot(`
      [
        "nat -A KUBE-SERVICES -d 172.30.0.42 -p tcp -m comment --comment "ns2/svc2:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-SERVICES -d 1.2.3.4 -p tcp -m comment --comment "ns2/svc2:p80 loadbalancer IP" -m tcp --dport 80 -j KUBE-EXT-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-NODEPORTS -p tcp -m comment --comment "ns2/svc2:p80" -m tcp --dport 3001 -j KUBE-EXT-GNZBNJ2PO5MGZ6GT",
        "filter -A KUBE-EXTERNAL-SERVICES -d 1.2.3.4 -p tcp -m comment --comment "ns2/svc2:p80 has no local endpoints" -m tcp --dport 80 -j DROP",
        "filter -A KUBE-EXTERNAL-SERVICES -d 192.0.2.1 -p tcp -m comment --comment "ns2/svc2:p80 has no local endpoints" -m tcp --dport 3001 -j DROP",
        "nat -A KUBE-SEP-RS4RBKLTHTF2IUXJ -s 10.180.0.2 -m comment --comment "ns2/svc2:p80" -j KUBE-MARK-MASQ",
        "nat -A KUBE-SEP-RS4RBKLTHTF2IUXJ -p tcp -m comment --comment "ns2/svc2:p80" -j DNAT --to-destination 10.180.0.2:80",
        "nat -A KUBE-SVC-GNZBNJ2PO5MGZ6GT ! -s 10.0.0.0/8 -d 172.30.0.42 -p tcp -m comment --comment "ns2/svc2:p80 cluster IP" -m tcp --dport 80 -m addrtype ! --src-type LOCAL -j KUBE-MARK-MASQ",
        "nat -A KUBE-SVC-GNZBNJ2PO5MGZ6GT -m comment --comment "ns2/svc2:p80 -> 10.180.0.2:80" -j KUBE-SEP-RS4RBKLTHTF2IUXJ",
        "nat -A KUBE-EXT-GNZBNJ2PO5MGZ6GT -s 10.0.0.0/8 -m comment --comment "pod traffic for ns2/svc2:p80 external destinations" -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m comment --comment "masquerade LOCAL traffic for ns2/svc2:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ",
        "nat -A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m comment --comment "route LOCAL traffic for ns2/svc2:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
      ]
    `)
  })
  it('of policy Cluster with allowed sources has a firewall chain', () => {
    expect(
      rendered({
        spec: { loadBalancerSourceRanges: ['203.0.113.0/25', '192.0.2.0/24'] },
        pods: [
          ['10.180.0.2', 'n1'],
          ['10.180.0.3', 'n1'],
        ],
      }),
    ).toMatchInlineSnapshot(`
      [
        "nat -A KUBE-SERVICES -d 172.30.0.42 -p tcp -m comment --comment "ns2/svc2:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-SERVICES -d 1.2.3.4 -p tcp -m comment --comment "ns2/svc2:p80 loadbalancer IP" -m tcp --dport 80 -j KUBE-FW-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-NODEPORTS -p tcp -m comment --comment "ns2/svc2:p80" -m tcp --dport 3001 -j KUBE-EXT-GNZBNJ2PO5MGZ6GT",
        "filter -A KUBE-PROXY-FIREWALL -d 1.2.3.4 -p tcp -m comment --comment "ns2/svc2:p80 traffic not accepted by KUBE-FW-GNZBNJ2PO5MGZ6GT" -m tcp --dport 80 -j DROP",
        "nat -A KUBE-SEP-RS4RBKLTHTF2IUXJ -s 10.180.0.2 -m comment --comment "ns2/svc2:p80" -j KUBE-MARK-MASQ",
        "nat -A KUBE-SEP-RS4RBKLTHTF2IUXJ -p tcp -m comment --comment "ns2/svc2:p80" -j DNAT --to-destination 10.180.0.2:80",
        "nat -A KUBE-SEP-2GOKER2KF7NAANZN -s 10.180.0.3 -m comment --comment "ns2/svc2:p80" -j KUBE-MARK-MASQ",
        "nat -A KUBE-SEP-2GOKER2KF7NAANZN -p tcp -m comment --comment "ns2/svc2:p80" -j DNAT --to-destination 10.180.0.3:80",
        "nat -A KUBE-SVC-GNZBNJ2PO5MGZ6GT ! -s 10.0.0.0/8 -d 172.30.0.42 -p tcp -m comment --comment "ns2/svc2:p80 cluster IP" -m tcp --dport 80 -m addrtype ! --src-type LOCAL -j KUBE-MARK-MASQ",
        "nat -A KUBE-SVC-GNZBNJ2PO5MGZ6GT -m comment --comment "ns2/svc2:p80 -> 10.180.0.2:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-RS4RBKLTHTF2IUXJ",
        "nat -A KUBE-SVC-GNZBNJ2PO5MGZ6GT -m comment --comment "ns2/svc2:p80 -> 10.180.0.3:80" -j KUBE-SEP-2GOKER2KF7NAANZN",
        "nat -A KUBE-EXT-GNZBNJ2PO5MGZ6GT -m comment --comment "masquerade traffic for ns2/svc2:p80 external destinations" -j KUBE-MARK-MASQ",
        "nat -A KUBE-EXT-GNZBNJ2PO5MGZ6GT -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-FW-GNZBNJ2PO5MGZ6GT -s 192.0.2.0/24 -m comment --comment "ns2/svc2:p80 loadbalancer IP" -j KUBE-EXT-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-FW-GNZBNJ2PO5MGZ6GT -s 203.0.113.0/25 -m comment --comment "ns2/svc2:p80 loadbalancer IP" -j KUBE-EXT-GNZBNJ2PO5MGZ6GT",
        "nat -A KUBE-FW-GNZBNJ2PO5MGZ6GT -s 1.2.3.4 -d 1.2.3.4 -m comment --comment "ns2/svc2:p80 loadbalancer IP" -j KUBE-EXT-GNZBNJ2PO5MGZ6GT",
      ]
    `)
  })
  it('without endpoints is refused in the filter table alone', () => {
    expect(rendered({ spec: {}, pods: [] })).toMatchInlineSnapshot(`
      [
        "filter -A KUBE-SERVICES -d 172.30.0.42 -p tcp -m comment --comment "ns2/svc2:p80 has no endpoints" -m tcp --dport 80 -j REJECT --reject-with tcp-reset",
        "filter -A KUBE-EXTERNAL-SERVICES -d 1.2.3.4 -p tcp -m comment --comment "ns2/svc2:p80 has no endpoints" -m tcp --dport 80 -j REJECT --reject-with tcp-reset",
        "filter -A KUBE-EXTERNAL-SERVICES -d 192.0.2.1 -p tcp -m comment --comment "ns2/svc2:p80 has no endpoints" -m tcp --dport 3001 -j REJECT --reject-with tcp-reset",
      ]
    `)
  })
})
