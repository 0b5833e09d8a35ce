import type { NodeView } from '../../model/index.ts'
import type { AddressPlan } from '../backend.conformance.ts'

const node: NodeView = { name: 'n1', addresses: ['192.0.2.1'], podCIDRs: ['10.1.1.0/24'], nodePortAddresses: ['192.0.2.1'] }
const node6: NodeView = { name: 'n1', addresses: ['fd00:2::1'], podCIDRs: ['fd00:1::/64'], nodePortAddresses: ['fd00:2::1'] }

/** For backends on a fake kernel, where every address is as good as another. */
export const FAKE_PLANS = {
  IPv4: {
    clusterIP: (index) => `10.96.0.${index + 10}`,
    externalIP: '198.51.100.1',
    vip: '203.0.113.1',
    node,
    nodePort: 30_080,
    pods: ['10.1.1.1', '10.1.1.2', '10.1.1.3'],
    endpointPort: 8_080,
    sources: { pod: '10.1.1.9', node: '192.0.2.1', outside: '198.51.100.9' },
  },
  IPv6: {
    clusterIP: (index) => `fd00:96::${index + 1}`,
    externalIP: 'fd00:e::1',
    vip: 'fd00:f::1',
    node: node6,
    nodePort: 30_080,
    pods: ['fd00:1::1', 'fd00:1::2', 'fd00:1::3'],
    endpointPort: 8_080,
    sources: { pod: 'fd00:1::9', node: 'fd00:2::1', outside: 'fd00:9::9' },
  },
} as const satisfies Record<'IPv4' | 'IPv6', AddressPlan>
