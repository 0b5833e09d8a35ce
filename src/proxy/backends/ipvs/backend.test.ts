import { backendConformance } from '../../backend.conformance.ts'
import { createIpvsBackend } from './index.ts'
import { fakeKernel } from './testing/index.ts'

const node = { name: 'n1', addresses: ['192.0.2.1'], podCIDRs: ['10.1.1.0/24'], nodePortAddresses: ['192.0.2.1'] }
const serviceCIDRs = ['10.96.0.0/16']

backendConformance('ipvs on the fake', async () => {
  const kernel = fakeKernel()
  return {
    backend: createIpvsBackend({ kernel, serviceCIDRs }),
    plan: {
      clusterIP: (index) => `10.96.0.${index + 10}`,
      externalIP: '198.51.100.1',
      vip: '203.0.113.1',
      node,
      nodePort: 30_080,
      pods: ['10.1.1.1', '10.1.1.2', '10.1.1.3'],
      endpointPort: 8_080,
      sources: { pod: '10.1.1.9', node: '192.0.2.1', outside: '198.51.100.9' },
    },
    send: async (packet) => kernel.send(packet, node),
    close: async () => {},
  }
})
