/** Runs a node with two pods until it is killed; says where on standard output. For tests that need a process of its own. */
import { pod } from '../../api/testing/index.ts'
import type { PodNetwork } from '../network/pod-network.ts'
import { NODE, startNodeLab } from './node-lab.ts'

const kind: PodNetwork['kind'] = process.argv[2] === 'netns' ? 'netns' : 'loopback'
const lab = await startNodeLab({ kind })
await lab.create(
  pod('one')
    .node(NODE)
    .container({ command: ['sh', '-c', 'setsid sleep 600 & echo up; sleep 600'] })
    .build(),
)
await lab.create(
  pod('two')
    .node(NODE)
    .port(8080)
    .container({ readinessProbe: { httpGet: { port: 8080 } } })
    .build(),
)
await lab.whenLogged('one', 'up')
const ready = await lab.whenReady('two')
console.log(JSON.stringify({ dataDir: lab.dataDir, podIP: ready.status?.podIP, uid: process.geteuid?.() }))
process.on('SIGTERM', () => {
  void lab.close().then(() => {
    console.log('closed')
    process.exit(0)
  })
})
setInterval(() => {}, 60_000)
