import { afterAll, beforeAll } from 'vitest'
import { type HttpsServer, startHttpsServer } from '../../src/apiserver/testing/https-server.ts'
import { silentLogger } from '../../src/base/index.ts'
import { clientConformance } from '../../src/client/client.conformance.ts'
import { createHttpClient, createInProcessClient, loadKubeconfig } from '../../src/client/index.ts'

let server: HttpsServer

beforeAll(async () => {
  server = await startHttpsServer()
})

afterAll(() => server.stop())

clientConformance('in process, on the API server', async () => ({
  client: createInProcessClient({
    port: server.server,
    user: { name: 'admin', groups: ['system:masters'] },
    userAgent: 'test/1',
  }),
  close: async () => {},
}))

clientConformance('HTTPS with the kubeconfig, on the API server', async () => {
  const connection = await loadKubeconfig({ path: server.kubeconfig })
  const client = createHttpClient({ connection, userAgent: 'test/1', log: silentLogger })
  return { client, close: client.close }
})
