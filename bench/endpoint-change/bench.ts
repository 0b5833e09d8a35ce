import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { EndpointSlice, Service } from '../../src/api/index.ts'
import { realClock, silentLogger } from '../../src/base/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import { createProxy, createUserspaceBackend } from '../../src/proxy/index.ts'
import { percentile } from '../median.ts'
import type { Result } from '../result.ts'
import { endToEnd, type Open, proxyLevel, type World } from './world.ts'

const SIZES = [10, 1_000, 10_000]
const SAMPLES = 400
const WARM_UP = 50
/** Not 80: whoever listens on all addresses of the machine there would answer instead. */
const SERVICE_PORT = 24_080
const GIVE_UP_MS = 10_000
const PODS = ['127.67.0.1', '127.67.0.2'] as const

/** From the change of an EndpointSlice to the first connection that reaches the new endpoint, at several sizes. */
export const run = async (): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const size of SIZES) results.push(...(await measure(size, proxyLevel)))
  for (const size of SIZES) results.push(...(await measure(size, endToEnd)))
  return results
}

const measure = async (size: number, open: Open): Promise<readonly Result[]> => {
  const pods = await startPods()
  const indexes = Array.from({ length: size }, (_, index) => index)
  const world = await open(
    indexes.map(serviceAt),
    indexes.map((index) => sliceAt(index, 0, pods.port)),
  )
  const proxy = createProxy({
    services: world.services,
    slices: world.slices,
    backend: createUserspaceBackend({ serviceCIDRs: [], drainMs: 0 }),
    nodeName: 'bench',
    nodePortAddresses: ['127.0.0.1'],
    clock: realClock,
    log: silentLogger,
  })
  const stop = new AbortController()
  const stall = monitorEventLoopDelay({ resolution: 1 })
  stall.enable()
  const startedAt = performance.now()
  const { stopped } = await proxy.start(stop.signal)
  const startMs = performance.now() - startedAt
  stall.disable()
  const samples = await sample(size, { world, port: pods.port })
  stop.abort()
  await stopped
  await world.close()
  await pods.close()
  const name = `${world.name}, ${size.toLocaleString('en-US')} Services`
  return [
    { name: `${name}: change to traffic, p50`, value: percentile(samples, 0.5), unit: 'ms' },
    { name: `${name}: change to traffic, p99`, value: percentile(samples, 0.99), unit: 'ms' },
    { name: `${name}: first sync with all sockets`, value: startMs, unit: 'ms' },
    { name: `${name}: longest stall of the event loop during it`, value: stall.max / 1e6, unit: 'ms' },
  ]
}

const clusterIP = (index: number): string => `127.66.${index >> 8}.${index & 255}`

const serviceAt = (index: number): Service =>
  service(`s${index}`, { clusterIP: clusterIP(index), clusterIPs: [clusterIP(index)], ports: [port(SERVICE_PORT)] })

/** Five endpoints, of which only the `ready` one of two may be used. */
const sliceAt = (index: number, ready: 0 | 1, port: number): EndpointSlice =>
  slice(
    `s${index}`,
    [0, 1, 2, 3, 4].map((each) =>
      endpoint(PODS[each] ?? `127.67.1.${each}`, {
        conditions: { ready: each === ready, serving: each === ready, terminating: false },
      }),
    ),
    { ports: [{ name: '', port, protocol: 'TCP' }] },
  )

const sample = async (
  size: number,
  { world, port }: { readonly world: World; readonly port: number },
): Promise<readonly number[]> => {
  const samples: number[] = []
  const now = new Map<number, 0 | 1>()
  for (let round = 0; round < SAMPLES + WARM_UP; round++) {
    const index = (round * 7_919) % size
    const ready = now.get(index) === 1 ? 0 : 1
    now.set(index, ready)
    const changed = sliceAt(index, ready, port)
    const from = performance.now()
    await world.change(changed)
    while ((await reached(clusterIP(index))) !== PODS[ready]) {
      if (performance.now() - from > GIVE_UP_MS)
        throw new Error(`${clusterIP(index)}:${SERVICE_PORT} never reached ${PODS[ready]}`)
    }
    if (round >= WARM_UP) samples.push(performance.now() - from)
  }
  return samples
}

/** Which pod a new connection reaches. */
const reached = (address: string): Promise<string> =>
  new Promise((resolve) => {
    let answer = ''
    const socket = connect({ host: address, port: SERVICE_PORT })
    socket.on('data', (chunk) => {
      answer += String(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })

const startPods = async (): Promise<{ readonly port: number; readonly close: () => Promise<void> }> => {
  const answer = (address: string) => (socket: Socket) => socket.on('error', () => {}).end(address)
  const first = createServer(answer(PODS[0])).listen(0, PODS[0])
  await once(first, 'listening')
  const { port } = first.address() as AddressInfo
  const second = createServer(answer(PODS[1])).listen(port, PODS[1])
  await once(second, 'listening')
  const closed = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()))
  return { port, close: async () => void (await Promise.all([first, second].map(closed))) }
}
