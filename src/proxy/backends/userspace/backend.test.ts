import { backendConformance } from '../../backend.conformance.ts'
import { loopbackWorld } from '../../testing/index.ts'
import { createUserspaceBackend } from './index.ts'

const POD_PORT = 18_080
const sources = { pod: '127.71.1.9', node: '127.0.0.1', outside: '127.72.0.9' }

backendConformance('userspace on loopback', async () => {
  const world = loopbackWorld()
  const pods = ['127.71.1.1', '127.71.1.2', '127.71.1.3']
  for (const address of pods) await world.addPod({ address, port: POD_PORT })
  // On loopback nothing comes from outside: the test says which address stands for it.
  const classOf = (source: string) => (source.startsWith('127.71.') ? 'pod' : source.startsWith('127.72.') ? 'outside' : 'node')
  return {
    backend: createUserspaceBackend({ serviceCIDRs: ['127.70.0.0/16'], classify: classOf, drainMs: 0 }),
    plan: {
      clusterIP: (index) => `127.70.0.${index + 10}`,
      externalIP: '127.73.0.1',
      vip: '127.74.0.1',
      node: {
        name: 'n1',
        addresses: ['127.75.0.1'],
        podCIDRs: ['127.71.0.0/16'],
        nodePortAddresses: ['127.75.0.1'],
      },
      nodePort: 30_080,
      pods,
      endpointPort: POD_PORT,
      sources,
    },
    send: world.send,
    close: world.close,
  }
})
