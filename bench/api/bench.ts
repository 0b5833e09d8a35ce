import { setMaxListeners } from 'node:events'
import { median, percentile } from '../median.ts'
import type { Result } from '../result.ts'
import { startTarget, type Target } from './target.ts'

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'
const SERVICES = '/api/v1/namespaces/default/services'

/** Creates, lists and watches against an API server in a process of its own. */
export const run = async (): Promise<readonly Result[]> => {
  const target = await startTarget()
  try {
    const creates = await measureCreates(target)
    const lists = await measureLists(target)
    const fanOut = await measureFanOut(target)
    return [
      ...creates,
      ...lists,
      ...fanOut,
      { name: 'resident memory of the server', value: target.residentMemory(), unit: 'MiB' },
    ]
  } finally {
    await target.stop()
  }
}

let serial = 0
const configMap = () => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `c-${++serial}` },
  data: { value: 'x'.repeat(1000) },
})
const service = () => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `s-${++serial}` },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
})

/** Does `total` things from `clients` clients at once; gives how many a second. */
const rate = async (total: number, clients: number, once: () => Promise<void>): Promise<number> => {
  let begun = 0
  const client = async (): Promise<void> => {
    while (begun < total) {
      begun++
      await once()
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: clients }, client))
  return total / ((performance.now() - start) / 1000)
}

const createConfigMap = (target: Target) => () => target.create(CONFIG_MAPS, configMap())
const createService = (target: Target) => () => target.create(SERVICES, service())

const SERVICE_COUNT = 10_000
const MANY = 5000

const measureCreates = async (target: Target): Promise<readonly Result[]> => {
  await rate(500, 64, createConfigMap(target))
  const one = await rate(1000, 1, createConfigMap(target))
  const cpuBefore = target.cpuMs()
  const many = await rate(MANY, 64, createConfigMap(target))
  const cpu = (target.cpuMs() - cpuBefore) / MANY
  // The API server's own Service is one of them.
  const services = await rate(SERVICE_COUNT - 1, 64, createService(target))
  return [
    { name: 'durable creates of ConfigMaps, 1 client', value: one, unit: '/s' },
    { name: 'durable creates of ConfigMaps, 64 clients', value: many, unit: '/s' },
    { name: 'CPU of the server for one of those', value: cpu * 1000, unit: 'µs' },
    { name: 'durable creates of Services, 64 clients', value: services, unit: '/s' },
  ]
}

const ROUNDS = 15

const measureLists = async (target: Target): Promise<readonly Result[]> => {
  const whole: number[] = []
  const paged: number[] = []
  let bytes = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    const text = await target.read('/api/v1/services')
    whole.push(performance.now() - start)
    bytes = text.length
    const items = text.split('"clusterIPs"').length - 1
    if (items !== SERVICE_COUNT) throw new Error(`expected ${SERVICE_COUNT} Services, found ${items}`)
    paged.push(await readPages(target))
  }
  return [
    { name: 'list of 10,000 Services', value: median(whole), unit: 'ms' },
    { name: 'list of 10,000 Services, size', value: bytes / 2 ** 20, unit: 'MiB' },
    { name: 'list of 10,000 Services in pages of 500', value: median(paged), unit: 'ms' },
  ]
}

const readPages = async (target: Target): Promise<number> => {
  const start = performance.now()
  let token = ''
  do {
    const text = await target.read(`/api/v1/services?limit=500${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`)
    token = /"continue":\s*"([^"]+)"/.exec(text)?.[1] ?? ''
  } while (token !== '')
  return performance.now() - start
}

const WATCHERS = 500
const DELIVERED = 2000
const LATENCIES = 100

const measureFanOut = async (target: Target): Promise<readonly Result[]> => {
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  const list: unknown = JSON.parse(await target.read(`${CONFIG_MAPS}?limit=1`))
  const { resourceVersion } = (list as { readonly metadata: { readonly resourceVersion: string } }).metadata
  const arrivals = createArrivals()
  const path = `${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion}`
  for (let opened = 0; opened < WATCHERS; opened += 50) {
    await Promise.all(Array.from({ length: 50 }, () => target.watch(path, arrivals.add, stopping.signal)))
  }
  const latencies: number[] = []
  for (let round = 0; round < LATENCIES; round++) {
    const start = performance.now()
    const arrived = arrivals.next(WATCHERS)
    await target.create(CONFIG_MAPS, configMap())
    await arrived
    latencies.push(performance.now() - start)
  }
  const start = performance.now()
  const arrived = arrivals.next(WATCHERS * DELIVERED)
  await rate(DELIVERED, 16, createConfigMap(target))
  await arrived
  const seconds = (performance.now() - start) / 1000
  stopping.abort()
  return [
    { name: 'create to the last of 500 watchers, p50', value: percentile(latencies, 0.5), unit: 'ms' },
    { name: 'create to the last of 500 watchers, p99', value: percentile(latencies, 0.99), unit: 'ms' },
    { name: 'events delivered to 500 watchers', value: (WATCHERS * DELIVERED) / seconds, unit: '/s' },
  ]
}

/** Counts events over all watchers; `next` resolves when that many more have come. */
const createArrivals = () => {
  let count = 0
  let waiting: { readonly at: number; resolve(): void } | undefined
  return {
    add: (lines: number): void => {
      count += lines
      if (waiting !== undefined && count >= waiting.at) waiting.resolve()
    },
    next: (more: number): Promise<void> =>
      new Promise((resolve) => {
        waiting = { at: count + more, resolve }
      }),
  }
}
