/**
 * The parts of a fail-over, each in a namespace of its own. `announce-process.ts api ADDRESS PORT`: an API server in memory, told by IPC what is in it.
 * `… node NAME URL DEVICE`: a node that announces, and answers at port 8080 of every address with its name. `… client ADDRESS`: asks who answers, again and again,
 * and sends each answer and when it came.
 */
import { connect, createServer } from 'node:net'
import { endpointSliceKind, type KubeObject, nodeKind, serviceKind } from '../../src/api/index.ts'
import { createLogger, realClock, silentLogger } from '../../src/base/index.ts'
import { createHttpClient } from '../../src/client/index.ts'
import { fakeApi, serveApi } from '../../src/client/testing/index.ts'
import { realExec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import { createInformer, waitForSync } from '../../src/informers/index.ts'
import { createAnnouncer, createDevices, createTeller } from '../../src/loadbalancer/providers/local/announce/index.ts'
import { sliceIndexes } from '../../src/model/index.ts'

export const PORT = 8080
/** Sent by the client. */
export interface Answered {
  readonly at: number
  /** A node's name, or why there was no answer. */
  readonly who: string
}

const [role = '', ...args] = process.argv.slice(2)

const api = async ([address = '', port = '']: readonly string[]): Promise<void> => {
  const server = fakeApi()
  const front = new URL((await serveApi(server)).url)
  createServer((socket) => {
    const inner = connect(Number(front.port), front.hostname)
    socket.pipe(inner).pipe(socket)
    for (const each of [socket, inner]) each.on('error', () => each.destroy())
  }).listen(Number(port), address, () => process.send?.('ready'))
  const kinds = [serviceKind, endpointSliceKind, nodeKind]
  process.on('message', (object: KubeObject) => {
    const kind = kinds.find((each) => each.kind === object.kind)
    if (kind !== undefined) server.put<KubeObject>(kind, object)
  })
}

const node = async ([nodeName = '', url = '', device = '']: readonly string[]): Promise<void> => {
  const stop = new AbortController()
  const log = process.env['DEBUG'] ? createLogger({ level: 'debug' }) : silentLogger
  const connection = {
    server: url,
    tls: { insecureSkipVerify: false },
    credentials: { kind: 'none' as const },
    namespace: 'default',
  }
  const client = createHttpClient({ connection, userAgent: 'announce/1', log })
  const common = { client, clock: realClock, log }
  const services = createInformer({ ...common, kind: serviceKind })
  const slices = createInformer({ ...common, kind: endpointSliceKind, indexes: sliceIndexes })
  const nodes = createInformer({ ...common, kind: nodeKind })
  for (const informer of [services, slices, nodes]) await informer.start(stop.signal)
  await waitForSync([services, slices, nodes], stop.signal)
  const range = { first: 0n, last: (1n << 128n) - 1n }
  const announcer = createAnnouncer({
    ...common,
    services,
    slices,
    nodes,
    nodeName,
    providerName: 'local',
    config: { interfaces: [device], leaseNamespace: 'default', leaseDurationMs: 5_000, nodeName },
    pools: [
      {
        name: 'all',
        ranges: [
          { ...range, family: 'IPv6' },
          { ...range, family: 'IPv4' },
        ],
        autoAssign: true,
        avoidsBuggyAddresses: false,
        priority: 0,
        namespaces: undefined,
        serviceSelector: undefined,
      },
    ],
    devices: createDevices(realExec),
    teller: createTeller(loadLibc, realExec),
  })
  const { stopped } = await announcer.start(stop.signal)
  createServer((socket) => socket.on('error', () => {}).end(nodeName)).listen(PORT, '::', () => process.send?.('ready'))
  process.on('SIGTERM', () => {
    stop.abort()
    void stopped.then(() => process.exit())
  })
}

const client = async ([address = '']: readonly string[]): Promise<void> => {
  process.send?.('ready')
  for (;;) {
    const who = await ask(address)
    process.send?.({ at: Date.now(), who } satisfies Answered)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const ask = (address: string): Promise<string> =>
  new Promise((resolve) => {
    let text = ''
    const socket = connect({ host: address, port: PORT, timeout: 100 })
    const end = (who: string) => (): void => {
      socket.destroy()
      resolve(who)
    }
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('end', () => end(text)())
    socket.on('timeout', end('timeout'))
    socket.on('error', end('error'))
  })

process.on('disconnect', () => process.exit())
const roles = new Map([
  ['api', api],
  ['node', node],
  ['client', client],
])
await roles.get(role)?.(args)
