import { silentLogger } from '../base/index.ts'
import { clientConformance } from './client.conformance.ts'
import { createHttpClient } from './http/http-client.ts'
import { createInProcessClient } from './in-process.ts'
import { fakeApi, serveApi } from './testing/index.ts'

clientConformance('in process, on the fake API', async () => ({
  client: createInProcessClient({ port: fakeApi(), user: { name: 'test', groups: [] }, userAgent: 'test/1' }),
  close: async () => {},
}))

clientConformance('HTTP, on the fake API', async () => {
  const front = await serveApi(fakeApi())
  const connection = {
    server: front.url,
    tls: { insecureSkipVerify: false },
    credentials: { kind: 'none' as const },
    namespace: 'default',
  }
  const client = createHttpClient({ connection, userAgent: 'test/1', log: silentLogger })
  return {
    client,
    close: async () => {
      await client.close()
      await front.close()
    },
  }
})
