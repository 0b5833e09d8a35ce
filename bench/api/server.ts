/** An API server with allocation in a folder of its own; says as one JSON line where it is, and ends with its standard input. */
import { join } from 'node:path'
import { scheme } from '../../src/api/index.ts'
import {
  bootstrap,
  createAllocators,
  createApiServer,
  createServiceStrategy,
  ipAddressStrategy,
  openCertificates,
  serviceCidrStrategy,
} from '../../src/apiserver/index.ts'
import { realClock, silentLogger } from '../../src/base/index.ts'
import { openLmdbStore } from '../../src/store/index.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: server FOLDER')
const common = { clock: realClock, log: silentLogger }
const stopping = new AbortController()
const store = await openLmdbStore({ path: join(folder, 'store'), ...common })
const allocators = createAllocators({ store, ...common })
const strategies = [createServiceStrategy({ store, allocators, clock: realClock }), serviceCidrStrategy, ipAddressStrategy]
const server = createApiServer({ store, kinds: scheme, strategies, version: '0.0.0', ...common })
const running = [await allocators.start(stopping.signal), await server.start(stopping.signal)]
const certificates = await openCertificates({ path: join(folder, 'pki'), clock: realClock })
const certificate = await certificates.server(['127.0.0.1'])
const { authority } = certificates
const listening = await server.listen({ host: '127.0.0.1', port: 0, authority, certificate }, stopping.signal)
const { port } = listening.address
await bootstrap({ port: server, log: silentLogger, serviceCIDRs: ['10.96.0.0/16'], address: '192.0.2.1', apiPort: port })
const admin = await certificates.client({ file: 'admin', commonName: 'admin', organizations: ['system:masters'] })
console.log(JSON.stringify({ url: `https://127.0.0.1:${port}`, authority, certificate: admin.certificate, key: admin.key }))

process.stdin.resume()
process.stdin.once('end', async () => {
  stopping.abort()
  await Promise.all([listening.stopped, ...running.map(({ stopped }) => stopped)])
  await store.close()
})
