import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Exec, realExec } from '../../src/host/index.ts'
import { type Libc, loadLibc } from '../../src/host/native/index.ts'
import { createNft, type Nft } from '../../src/kernel/nft/index.ts'
import type { Forwarding } from '../../src/model/index.ts'
import { type Backend, createNftablesBackend } from '../../src/proxy/index.ts'
import { percentile } from '../median.ts'
import type { Result } from '../result.ts'
import { chainLayout } from './chain-layout.ts'
import { ENDPOINTS, forwardingOf, forwardingWith, NODE, SERVICE_CIDRS } from './services.ts'

const SIZES = [1_000, 10_000, 50_000]
const CHAIN_LAYOUT_SIZES = [1_000, 5_000, 10_000]
const SAMPLES = 300
const WARM_UP = 50
const ROLLING = 1_000
const CHANGED_AT_ADOPTION = 30

/** The nftables backend against the kernel, at several sizes, and kube-proxy's layout of the same Services. */
export const run = async (): Promise<readonly Result[]> => {
  const libc = await loadLibc()
  if ('missing' in libc) throw new Error(`nftables: ${libc.missing}`)
  await warmUp(libc)
  const results: Result[] = []
  const loads = new Map<number, number>()
  for (const size of SIZES) {
    const measured = await inNamespace((place) => measure(libc, place, size))
    results.push(...measured.results)
    loads.set(size, measured.loadMs)
  }
  results.push(...(await inNamespace((place) => rolling(libc, place))))
  results.push(...(await inNamespace((place) => throughTool(place))))
  for (const size of CHAIN_LAYOUT_SIZES) {
    const ms = await inNamespace((place) => loadChains(place, size))
    results.push({ name: `${named(size)}: kube-proxy's chain layout, nft -f`, value: ms, unit: 'ms' })
    const own = loads.get(size)
    if (own !== undefined)
      results.push({ name: `${named(size)}: ratio of the chain layout's load to ours`, value: ms / own, unit: '×' })
  }
  return results
}

interface Place {
  readonly name: string
  readonly exec: Exec
}

const inNamespace = async <T>(act: (place: Place) => Promise<T>): Promise<T> => {
  const name = `fwbench${process.pid % 100_000}`
  await realExec(['ip', 'netns', 'add', name])
  try {
    return await act({ name, exec: (argv, options) => realExec(['ip', 'netns', 'exec', name, ...argv], options) })
  } finally {
    await realExec(['ip', 'netns', 'del', name])
  }
}

const named = (size: number): string => `${size.toLocaleString('en-US')} Services`

const netlinkIn = (libc: Libc, { exec, name }: Place): Nft => createNft(exec, { libc, namespace: `/run/netns/${name}` })

/** Counts what is committed. */
const counted = (nft: Nft): { readonly nft: Nft; readonly count: { transactions: number; elements: number } } => {
  const count = { transactions: 0, elements: 0 }
  const commit: Nft['commit'] = async (transaction) => {
    count.transactions++
    for (const command of transaction.commands) if ('elements' in command) count.elements += command.elements.length
    await nft.commit(transaction)
  }
  return { nft: { ...nft, commit }, count }
}

const backendOn = (nft: Nft): Backend => createNftablesBackend({ nft, serviceCIDRs: SERVICE_CIDRS })
const full = (set: readonly Forwarding[]) => ({ full: true, set, delete: [], node: NODE })
const change = (...set: readonly Forwarding[]) => ({ full: false, set, delete: [], node: NODE })

/** Compiled code is what a proxy runs that has been up for a second. */
const warmUp = (libc: Libc): Promise<void> =>
  inNamespace(async (place) => {
    const set = forwardings(2_000)
    for (let round = 0; round < 3; round++) {
      const nft = netlinkIn(libc, place)
      await backendOn(nft).sync(full(set))
      const backend = backendOn(nft)
      await backend.sync(full(set))
      await backend.sync(change(...set.slice(0, 500).map((_, index) => changed(index, round))))
      await backend.cleanup()
      await nft.close()
    }
  })

const forwardings = (size: number): readonly Forwarding[] => Array.from({ length: size }, (_, index) => forwardingOf(index))

const timed = async (act: () => Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await act()
  return performance.now() - from
}

/** Milliseconds of this process since `from`, on all threads and in the kernel. */
const cpuSince = (from: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(from)
  return (user + system) / 1_000
}

/** With one endpoint replaced in each generation. */
const changed = (index: number, generation: number): Forwarding => {
  const first = index * ENDPOINTS
  return forwardingWith(index, [first, first + 1, first + 2, first + 3, 300_001 + ((generation * 100 + index) % 100_000)])
}

const measure = async (libc: Libc, place: Place, size: number): Promise<{ results: readonly Result[]; loadMs: number }> => {
  const set = forwardings(size)
  const { nft, count } = counted(netlinkIn(libc, place))
  const backend = backendOn(nft)
  const stall = monitorEventLoopDelay({ resolution: 1 })
  stall.enable()
  const loadCpu = process.cpuUsage()
  const loadMs = await timed(() => backend.sync(full(set)))
  const loadCpuMs = cpuSince(loadCpu)
  stall.disable()
  const { elements } = count
  const samples: number[] = []
  let changeCpuMs = 0
  for (let round = 0; round < SAMPLES + WARM_UP; round++) {
    const index = (round * 7_919) % size
    const next = changed(index, round + 1)
    const cpu = process.cpuUsage()
    const ms = await timed(() => backend.sync(change(next)))
    if (round < WARM_UP) continue
    samples.push(ms)
    changeCpuMs += cpuSince(cpu)
  }
  const auditUnchanged = await timed(() => backend.audit())
  await place.exec(['nft', 'add', 'table', 'ip', 'someone-else'])
  const auditFull = await timed(() => backend.audit())
  const now = set.map((forwarding, index) => (index < CHANGED_AT_ADOPTION ? changed(index, 9) : forwarding))
  await backend.sync(change(...restored(set, size)))
  const adopter = counted(netlinkIn(libc, place))
  const adoptStall = monitorEventLoopDelay({ resolution: 1 })
  adoptStall.enable()
  const adoptMs = await timed(() => backendOn(adopter.nft).sync(full(now)))
  adoptStall.disable()
  await nft.close()
  await adopter.nft.close()
  const memory = await memoryOf(libc, place, set)
  const name = named(size)
  const mib = (bytes: number): number => bytes / 2 ** 20
  return {
    loadMs,
    results: [
      { name: `${name}: full load`, value: loadMs, unit: 'ms' },
      { name: `${name}: CPU of the full load`, value: loadCpuMs, unit: 'ms' },
      { name: `${name}: elements`, value: elements, unit: '' },
      { name: `${name}: longest stall of the event loop during the load`, value: stall.max / 1e6, unit: 'ms' },
      { name: `${name}: heap of the backend`, value: mib(memory.heap), unit: 'MiB' },
      { name: `${name}: resident memory of the process that holds the Forwardings`, value: mib(memory.resident), unit: 'MiB' },
      { name: `${name}: one endpoint, p50`, value: percentile(samples, 0.5), unit: 'ms' },
      { name: `${name}: one endpoint, p99`, value: percentile(samples, 0.99), unit: 'ms' },
      { name: `${name}: one endpoint, CPU`, value: changeCpuMs / samples.length, unit: 'ms' },
      { name: `${name}: audit, nobody changed any rule`, value: auditUnchanged, unit: 'ms' },
      { name: `${name}: audit that reads everything`, value: auditFull, unit: 'ms' },
      { name: `${name}: adopt tables in place, ${CHANGED_AT_ADOPTION} Services changed meanwhile`, value: adoptMs, unit: 'ms' },
      { name: `${name}: elements written when adopting`, value: adopter.count.elements, unit: '' },
      { name: `${name}: longest stall of the event loop when adopting`, value: adoptStall.max / 1e6, unit: 'ms' },
    ],
  }
}

/** Apart from the times: after a forced collection, code is compiled again. */
const memoryOf = async (
  libc: Libc,
  place: Place,
  set: readonly Forwarding[],
): Promise<{ readonly heap: number; readonly resident: number }> => {
  const nft = netlinkIn(libc, place)
  const backend = backendOn(nft)
  await backend.cleanup()
  collectGarbage()
  const before = process.memoryUsage()
  await backend.sync(full(set))
  const { rss } = process.memoryUsage()
  collectGarbage()
  const after = process.memoryUsage()
  await nft.close()
  // Used again, so that it is not collected before it was measured.
  if (backend.exceptions().length > 0) throw new Error('the kernel refused Services')
  return { heap: after.heapUsed - before.heapUsed, resident: rss }
}

/** What the samples changed, as it was. */
const restored = (set: readonly Forwarding[], size: number): readonly Forwarding[] => {
  const indexes = new Set(Array.from({ length: SAMPLES + WARM_UP }, (_, round) => (round * 7_919) % size))
  return [...indexes].flatMap((index) => set[index] ?? [])
}

/** Every endpoint of one large Service is replaced, one after another, among 1,000 other Services. */
const rolling = async (libc: Libc, place: Place): Promise<readonly Result[]> => {
  const { nft, count } = counted(netlinkIn(libc, place))
  const backend = backendOn(nft)
  const hosts = Array.from({ length: ROLLING }, (_, each) => 400_001 + each)
  const index = 1_000
  await backend.sync(full([...forwardings(1_000), forwardingWith(index, hosts)]))
  count.transactions = 0
  count.elements = 0
  const samples: number[] = []
  let cpuMs = 0
  for (let each = 0; each < ROLLING; each++) {
    hosts[each] = 500_001 + each
    const next = forwardingWith(index, hosts)
    const cpu = process.cpuUsage()
    samples.push(await timed(() => backend.sync(change(next))))
    cpuMs += cpuSince(cpu)
  }
  await nft.close()
  const name = `rolling update of ${ROLLING.toLocaleString('en-US')} endpoints of one Service`
  return [
    { name: `${name}: transactions`, value: count.transactions, unit: '' },
    { name: `${name}: elements changed`, value: count.elements, unit: '' },
    { name: `${name}: time`, value: samples.reduce((sum, ms) => sum + ms, 0), unit: 'ms' },
    { name: `${name}: CPU`, value: cpuMs, unit: 'ms' },
    { name: `${name}: one change, p99`, value: percentile(samples, 0.99), unit: 'ms' },
  ]
}

/** The fallback without the C library, at one size. */
const throughTool = async (place: Place): Promise<readonly Result[]> => {
  const size = 10_000
  const backend = backendOn(createNft(place.exec))
  const set = forwardings(size)
  const loadMs = await timed(() => backend.sync(full(set)))
  const samples: number[] = []
  for (let round = 0; round < 30; round++) {
    const next = changed((round * 7_919) % size, round + 1)
    samples.push(await timed(() => backend.sync(change(next))))
  }
  return [
    { name: `${named(size)}: full load through the nft tool`, value: loadMs, unit: 'ms' },
    { name: `${named(size)}: one endpoint through the nft tool, p50`, value: percentile(samples, 0.5), unit: 'ms' },
  ]
}

const loadChains = async ({ exec }: Place, size: number): Promise<number> => {
  const stdin = chainLayout(size)
  return timed(() => exec(['nft', '-f', '-'], { stdin, timeoutMs: 300_000 }))
}

const collectGarbage = (): void => {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc === 'function') gc()
}
