import type { EndpointSlice, Service } from '../../src/api/index.ts'
import { realClock, silentLogger } from '../../src/base/index.ts'
import { type Exec, realExec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import { type Backend, createProxy } from '../../src/proxy/index.ts'
import { openBackend } from '../../src/proxy/modes/index.ts'
import { endToEnd } from '../endpoint-change/world.ts'
import { percentile } from '../median.ts'
import type { Result } from '../result.ts'

const SIZES = [1_000, 10_000, 50_000]
const ENDPOINTS = 5
const SAMPLES = 300
const WARM_UP = 30
const NAMESPACE = `fairway-bench-${process.pid}`
const GIVE_UP_MS = 10_000

/** From the durable API write of an EndpointSlice to the committed kernel transaction, in mode nftables. */
export const run = async (): Promise<readonly Result[]> => {
  await realExec(['ip', 'netns', 'add', NAMESPACE])
  try {
    const results: Result[] = []
    for (const size of SIZES) results.push(...(await measure(size)))
    return results
  } finally {
    await realExec(['ip', 'netns', 'del', NAMESPACE])
  }
}

const inNamespace: Exec = (argv, options) => realExec(['ip', 'netns', 'exec', NAMESPACE, ...argv], options)

const measure = async (size: number): Promise<readonly Result[]> => {
  const indexes = Array.from({ length: size }, (_, index) => index)
  const world = await endToEnd(
    indexes.map(serviceAt),
    indexes.map((index) => sliceAt(index, 0)),
  )
  const libc = await loadLibc()
  const { backend, reason } = await openBackend('nftables', {
    exec: inNamespace,
    namespace: `/run/netns/${NAMESPACE}`,
    ...('missing' in libc ? {} : { libc }),
    serviceCIDRs: ['10.96.0.0/12'],
    clock: realClock,
    log: silentLogger,
  })
  console.log(`kernel-change: ${reason}`)
  const watched = watch(backend)
  const options = { nodeName: 'n1', nodePortAddresses: ['192.0.2.1'], podCIDRs: ['10.1.0.0/16'], nodeAddresses: ['192.0.2.1'] }
  const proxy = createProxy({ ...world, ...options, backend: watched.backend, clock: realClock, log: silentLogger })
  const stop = new AbortController()
  const startedAt = performance.now()
  const { stopped } = await proxy.start(stop.signal)
  const startMs = performance.now() - startedAt
  const samples: number[] = []
  for (let round = 0; round < SAMPLES + WARM_UP; round++) {
    const index = (round * 7_919) % size
    const done = watched.committed(`IPv4 default/s${index}`)
    const from = performance.now()
    await world.change(sliceAt(index, round + 1))
    await done
    if (round >= WARM_UP) samples.push(performance.now() - from)
  }
  stop.abort()
  await stopped
  await backend.cleanup()
  await world.close()
  const name = `${size.toLocaleString('en-US')} Services × ${ENDPOINTS} endpoints`
  return [
    { name: `${name}: API write to kernel, p50`, value: percentile(samples, 0.5), unit: 'ms' },
    { name: `${name}: API write to kernel, p99`, value: percentile(samples, 0.99), unit: 'ms' },
    { name: `${name}: first sync, from complete caches`, value: startMs, unit: 'ms' },
    { name: `${name}: resident memory of API server, caches and proxy`, value: process.memoryUsage().rss / 2 ** 20, unit: 'MiB' },
  ]
}

/** Tells when a Service's Forwarding is in the kernel. */
const watch = (backend: Backend): { readonly backend: Backend; committed(key: string): Promise<void> } => {
  const waiting = new Map<string, () => void>()
  const sync: Backend['sync'] = async (change) => {
    await backend.sync(change)
    for (const { key } of change.set) waiting.get(key)?.()
  }
  return {
    backend: { ...backend, sync },
    committed: (key) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${key} never reached the kernel`)), GIVE_UP_MS)
        waiting.set(key, () => {
          clearTimeout(timer)
          waiting.delete(key)
          resolve()
        })
      }),
  }
}

const clusterIP = (index: number): string => `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`

const serviceAt = (index: number): Service => {
  const address = clusterIP(index + 256)
  return service(`s${index}`, { clusterIP: address, clusterIPs: [address], ports: [port(80)] })
}

/** Every generation has another fifth endpoint. */
const sliceAt = (index: number, generation: number): EndpointSlice =>
  slice(
    `s${index}`,
    Array.from({ length: ENDPOINTS }, (_, each) => {
      const host = index * ENDPOINTS + each + (each === ENDPOINTS - 1 ? generation : 0)
      return endpoint(`10.${128 + ((host >> 16) & 63)}.${(host >> 8) & 255}.${host & 255}`, { nodeName: 'n2' })
    }),
  )
