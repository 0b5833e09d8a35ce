import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clb } from 'tencentcloud-sdk-nodejs/tencentcloud/services/clb/index.js'
import { cvm } from 'tencentcloud-sdk-nodejs/tencentcloud/services/cvm/index.js'
import { tag } from 'tencentcloud-sdk-nodejs/tencentcloud/services/tag/index.js'
import { vpc } from 'tencentcloud-sdk-nodejs/tencentcloud/services/vpc/index.js'
import { silentLogger } from '../../../base/index.ts'
import { createEmulator, type EmulatorOptions } from '../index.ts'

export const credential = { secretId: 'AKIDexample', secretKey: 'example-key' }

/** The official SDK's client of CLB. */
export type ClbClient = InstanceType<typeof clb.v20180317.Client>

export interface TestCloud {
  readonly url: string
  readonly dataDir: string
  readonly clb: ClbClient
  readonly tag: InstanceType<typeof tag.v20180813.Client>
  readonly cvm: InstanceType<typeof cvm.v20170312.Client>
  readonly vpc: InstanceType<typeof vpc.v20170312.Client>
  /** Asks `/_emulator/…`. */
  control(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown; readonly text: string }>
  /** Waits until the task of an answer ends; throws with its message when it failed. */
  done(answer: { readonly RequestId?: string }): Promise<void>
  stop(): Promise<void>
}

export const clientsOf = (port: number, keys: { readonly secretId: string; readonly secretKey: string } = credential) => {
  const config = {
    credential: keys,
    region: 'ap-guangzhou',
    profile: { httpProfile: { endpoint: `127.0.0.1:${port}`, protocol: 'http://' as const, reqTimeout: 5 } },
  }
  return {
    clb: new clb.v20180317.Client(config),
    tag: new tag.v20180813.Client(config),
    cvm: new cvm.v20170312.Client(config),
    vpc: new vpc.v20170312.Client(config),
  }
}

/** An emulator in a folder of its own, driven by the official SDK; health checks run 20 times as fast. */
export const startCloud = async (options: Partial<EmulatorOptions> = {}): Promise<TestCloud> => {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'fairway-cloud-')))
  const stop = new AbortController()
  const emulator = createEmulator({
    listen: { address: '127.0.0.1', port: 0 },
    credentials: [credential],
    taskMs: 1,
    callsPerSecond: 0,
    secondMs: 50,
    log: silentLogger,
    ...options,
    dataDir,
  })
  const { port, stopped } = await emulator.start(stop.signal)
  const clients = clientsOf(port)
  return {
    url: `http://127.0.0.1:${port}`,
    dataDir,
    ...clients,
    control: async (method, path, body) => {
      const response = await fetch(`http://127.0.0.1:${port}/_emulator${path}`, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.includes('json') ?? false
      return { status: response.status, text, body: isJson ? JSON.parse(text) : undefined }
    },
    done: (answer) => taskDone(clients.clb, answer.RequestId ?? ''),
    stop: async () => {
      stop.abort()
      await stopped
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true })
    },
  }
}

const taskDone = async (client: ClbClient, taskId: string): Promise<void> => {
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline) {
    const { Status, Message } = await client.DescribeTaskStatus({ TaskId: taskId })
    if (Status === 0) return
    if (Status === 1) throw new Error(`task failed: ${Message}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error(`task ${taskId} does not end`)
}
