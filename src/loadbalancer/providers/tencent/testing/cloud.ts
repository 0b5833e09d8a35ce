import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../../../base/index.ts'
import { createEmulator, type EmulatorOptions } from '../../../../emulator/tencent/index.ts'
import { type CloudApi, type CloudClientOptions, createCloudClient, createCredentials } from '../client/index.ts'

const SECRETS = { secretId: 'AKIDexample', secretKey: 'example-key' }

/** The emulator, and a client of ours for it. */
export interface TestCloud {
  readonly url: string
  readonly api: CloudApi
  /** Another client, with an end of its own: what an aborted one has under way is lost. */
  client(options?: Partial<CloudClientOptions>): { readonly api: CloudApi; close(): Promise<void> }
  /** Asks `/_emulator/…`. */
  control(method: string, path: string, body?: unknown): Promise<unknown>
  close(): Promise<void>
}

export const startTestCloud = async (options: Partial<EmulatorOptions> = {}): Promise<TestCloud> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'fairway-tencent-'))
  const stop = new AbortController()
  const emulator = createEmulator({
    listen: { address: '127.0.0.1', port: 0 },
    credentials: [SECRETS],
    taskMs: 1,
    callsPerSecond: 0,
    secondMs: 50,
    log: silentLogger,
    ...options,
    dataDir,
  })
  const { port, stopped } = await emulator.start(stop.signal)
  const url = `http://127.0.0.1:${port}`
  const client: TestCloud['client'] = (more = {}) =>
    createCloudClient({
      region: 'ap-guangzhou',
      credentials: createCredentials(SECRETS),
      endpoint: url,
      limits: { perSecond: 100_000 },
      taskPollMs: 5,
      ...more,
    })
  const own = client()
  return {
    url,
    api: own.api,
    client,
    async control(method, path, body) {
      const answer = await fetch(`${url}/_emulator${path}`, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
      return JSON.parse(text)
    },
    async close() {
      await own.close()
      stop.abort()
      await stopped
      await rm(dataDir, { recursive: true })
    },
  }
}
