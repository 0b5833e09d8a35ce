/** The userspace mode with all Services, in the network namespace of its clients; ends with its parent. */
import { realExec } from '../../src/host/index.ts'
import { createUserspaceBackend } from '../../src/proxy/index.ts'
import { ALL, NODE, SERVICE_CIDR } from './services.ts'

const localAddresses = {
  ensure: async (cidr: string) => void (await realExec(['ip', 'route', 'replace', 'local', cidr, 'dev', 'lo'])),
  release: async (cidr: string) => void (await realExec(['ip', 'route', 'del', 'local', cidr, 'dev', 'lo'])),
}
const backend = createUserspaceBackend({ serviceCIDRs: [SERVICE_CIDR], localAddresses, drainMs: 0 })
await backend.start(new AbortController().signal, (status) => {
  if (status.state === 'failed') process.stderr.write(`${status.message}\n`)
})
await backend.sync({ full: true, set: ALL, delete: [], node: NODE })
process.on('disconnect', () => process.exit())
process.send?.('ready')
