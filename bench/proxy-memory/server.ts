/**
 * `server.ts SERVICES KUBECONFIG`: an API server with so many Services, in the network namespace that it is started in. Says `ready` when the kubeconfig
 * is written; a message is a number: so many slices change, and `done` is the answer. Ends when its parent disconnects.
 */
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { endpointSliceKind, namespaceKind, nodeKind, serviceKind } from '../../src/api/index.ts'
import { bootstrap, openCertificates } from '../../src/apiserver/index.ts'
import { startTestServer } from '../../src/apiserver/testing/test-server.ts'
import { realClock, silentLogger } from '../../src/base/index.ts'
import { createInProcessClient } from '../../src/client/index.ts'
import { node, serviceAt, sliceAt } from './objects.ts'

const [services, kubeconfig = ''] = process.argv.slice(2)
const indexes = Array.from({ length: Number(services) }, (_, index) => index)
const WRITERS = 64

const inParallel = async <T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> => {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await act(item)
  }
  await Promise.all(Array.from({ length: WRITERS }, worker))
}

const { server, signal } = await startTestServer({ path: join(dirname(kubeconfig), 'data') })
const certificates = await openCertificates({ path: join(dirname(kubeconfig), 'pki'), clock: realClock })
const certificate = await certificates.server(['127.0.0.1'])
const { authority } = certificates
const { address } = await server.listen({ host: '127.0.0.1', port: 0, authority, certificate }, signal)
await bootstrap({ port: server, log: silentLogger, serviceCIDRs: ['10.96.0.0/12'], address: '192.0.2.1', apiPort: address.port })

const user = { name: 'bench', groups: ['system:masters'] }
const client = createInProcessClient({ port: server, user, userAgent: 'bench/1' })
await client.create(nodeKind, node)
const namespaces = new Set(indexes.map((index) => serviceAt(index).metadata.namespace ?? ''))
await inParallel([...namespaces], (name) =>
  client.create(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: { finalizers: [] } }),
)
await inParallel(indexes, (index) => client.create(serviceKind, serviceAt(index)))
await inParallel(indexes, (index) => client.create(endpointSliceKind, sliceAt(index)))

const admin = await certificates.client({ file: 'admin', commonName: 'admin', organizations: ['system:masters'] })
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const context = { cluster: 'bench', user: 'bench' }
const cluster = { server: `https://127.0.0.1:${address.port}`, 'certificate-authority-data': base64(authority) }
const credentials = { 'client-certificate-data': base64(admin.certificate), 'client-key-data': base64(admin.key) }
await writeFile(
  kubeconfig,
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bench', cluster }],
    users: [{ name: 'bench', user: credentials }],
    contexts: [{ name: 'bench', context }],
    'current-context': 'bench',
  }),
)

let generation = 0
process.on('message', async (count: number) => {
  generation++
  const spread = indexes.filter((index) => index % Math.max(1, Math.floor(indexes.length / count)) === 0).slice(0, count)
  await inParallel(spread, (index) => client.update(endpointSliceKind, sliceAt(index, generation * 7)))
  process.send?.('done')
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
