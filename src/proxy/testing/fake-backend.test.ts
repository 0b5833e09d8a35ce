import { backendConformance } from '../backend.conformance.ts'
import { fakeBackend } from './index.ts'

backendConformance('fake', async () => {
  const backend = fakeBackend()
  return {
    backend,
    plan: {
      clusterIP: (index) => `10.96.0.${index + 10}`,
      externalIP: '198.51.100.1',
      vip: '203.0.113.1',
      node: { name: 'n1', addresses: ['192.0.2.1'], podCIDRs: ['10.1.1.0/24'], nodePortAddresses: ['192.0.2.1'] },
      nodePort: 30_080,
      pods: ['10.1.1.1', '10.1.1.2', '10.1.1.3'],
      endpointPort: 8_080,
      sources: { pod: '10.1.1.9', node: '192.0.2.1', outside: '198.51.100.9' },
    },
    send: async (packet) => backend.send(packet),
    close: async () => {},
  }
})
