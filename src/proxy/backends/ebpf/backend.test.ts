import { describe, expect, it } from 'vitest'
import { fakeBpf } from '../../../kernel/bpf/testing/index.ts'
import { fakeNft } from '../../../kernel/nft/testing/index.ts'
import type { NodeView } from '../../../model/index.ts'
import { backendConformance } from '../../backend.conformance.ts'
import { createNftablesBackend } from '../nftables/index.ts'
import { createEbpfBackend } from './index.ts'
import { NODE_COOKIE, socketWorld } from './testing/index.ts'

const serviceCIDRs = ['10.96.0.0/16', 'fd00:96::/112']
const PLANS = {
  IPv4: {
    node: { name: 'n1', addresses: ['192.0.2.1', '10.1.1.254'], podCIDRs: ['10.1.1.0/24'], nodePortAddresses: ['192.0.2.1'] },
    clusterIP: (index: number) => `10.96.0.${index + 10}`,
    externalIP: '198.51.100.1',
    vip: '203.0.113.1',
    pods: ['10.1.1.1', '10.1.1.2', '10.1.1.3'],
    sources: { pod: '10.1.1.9', node: '192.0.2.1', outside: '198.51.100.9' },
  },
  IPv6: {
    node: { name: 'n1', addresses: ['2001:db8::1'], podCIDRs: ['fd00:1::/64'], nodePortAddresses: ['2001:db8::1'] },
    clusterIP: (index: number) => `fd00:96::${index + 10}`,
    externalIP: 'fd00:e::1',
    vip: 'fd00:f::1',
    pods: ['fd00:1::1', 'fd00:1::2', 'fd00:1::3'],
    sources: { pod: 'fd00:1::9', node: '2001:db8::1', outside: 'fd00:a::9' },
  },
} as const

for (const family of ['IPv4', 'IPv6'] as const) {
  const plan = PLANS[family]
  backendConformance(`ebpf on the fakes, ${family}`, async () => {
    const bpf = fakeBpf({ cookie: NODE_COOKIE })
    const nft = fakeNft()
    const world = socketWorld({ bpf, nft })
    return {
      backend: createEbpfBackend({ bpf, inner: createNftablesBackend({ nft, serviceCIDRs }) }),
      plan: { ...plan, nodePort: 30_080, endpointPort: 8_080 },
      send: async (packet) => world.send(packet, plan.node satisfies NodeView),
      close: async () => {},
    }
  })
}
