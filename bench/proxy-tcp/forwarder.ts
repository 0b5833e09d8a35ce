/** `forwarder.ts ADDRESS TARGET PORT PORTS`: the userspace backend with one Service: port 80 of ADDRESS to PORTS endpoints, port 81 to the stream. */
import { type Forwarding, forwardingKey, type NodeView, type Route, type Target } from '../../src/model/index.ts'
import { createUserspaceBackend } from '../../src/proxy/index.ts'

const [address = '', target = '', first = '0', count = '1'] = process.argv.slice(2)
const node: NodeView = { name: 'bench', addresses: [], podCIDRs: [], nodePortAddresses: [] }
const route: Route = { set: 'cluster', masquerade: 'hairpin', whenEmpty: 'reject', why: 'InternalPolicyCluster' }
const routes = { pod: route, node: route, outside: route }
const ports = (number: number, name: string, cluster: readonly Target[]): Forwarding['ports'][number] => ({
  name,
  protocol: 'TCP',
  port: number,
  frontends: [{ kind: 'ClusterIP', address, port: number, routes }],
  cluster,
  local: [],
  hints: 'none',
  endpoints: [],
  ignored: [],
})
const at = (index: number): Target => ({ address: target, port: Number(first) + index })
const forwarding: Forwarding = {
  key: forwardingKey('IPv4', 'default', 'bench'),
  namespace: 'default',
  name: 'bench',
  family: 'IPv4',
  clusterIP: address,
  ports: [
    ports(
      8080,
      'answer',
      Array.from({ length: Number(count) }, (_, index) => at(index)),
    ),
    ports(8081, 'stream', [at(Number(count))]),
  ],
}
const stop = new AbortController()
const backend = createUserspaceBackend({ serviceCIDRs: [], drainMs: 0 })
await backend.start(stop.signal, (status) => {
  if (status.state === 'failed') process.stderr.write(`${status.message}\n`)
})
await backend.sync({ full: true, set: [forwarding], delete: [], node })
process.stdout.write('ready\n')
process.on('disconnect', () => process.exit())
