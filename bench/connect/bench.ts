import { loadLibc } from '../../src/host/native/index.ts'
import { openTestCgroup } from '../../src/kernel/bpf/testing/index.ts'
import type { Backend } from '../../src/proxy/backend.ts'
import { percentile } from '../median.ts'
import type { Result } from '../result.ts'
import { type Client, measure, warmUp } from './measure.ts'
import { ENDPOINTS, forwardingOf, NODE } from './services.ts'
import { summaryOf } from './summary.ts'
import { GROUPS, WAYS, type Way, type WayDeps } from './ways.ts'
import { openWorld } from './world.ts'

const CHANGES = 200

/** New connections through a ClusterIP among 10,000 Services, in each mode and without any, in turn, in one run. */
export const run = async (): Promise<readonly Result[]> => {
  const libc = await loadLibc()
  if ('missing' in libc) throw new Error(`connect: ${libc.missing}`)
  const world = await openWorld()
  const cgroup = await openTestCgroup()
  try {
    const clients = new Map<string, Client>()
    const times: Result[] = []
    for (const way of WAYS) {
      const node = await world.addNode()
      times.push(...(await prepare(way, { node, libc, cgroup })))
      const child = await node.start('client.ts')
      if (way.isInCgroup === true) await cgroup.add(child.pid ?? 0)
      for (const path of way.paths) clients.set(path.name, { path, child })
    }
    await warmUp([...clients.values()])
    const results: Result[] = []
    for (const names of GROUPS) {
      const group = names.flatMap((name) => clients.get(name) ?? [])
      results.push(...summaryOf(await measure(group), results))
    }
    return [...results, ...times]
  } finally {
    await world.close()
    await cgroup.close()
  }
}

/** Times of the modes that no other topic measures. */
const prepare = async (way: Way, deps: WayDeps): Promise<readonly Result[]> => {
  const started = performance.now()
  const backend = await way.prepare(deps)
  const ms = performance.now() - started
  if (backend?.mode !== 'ebpf') return []
  const { p50, p99 } = await changes(backend)
  return [
    { name: `${way.name}: load of 10,000 Services × 5 endpoints`, value: ms, unit: 'ms' },
    { name: `${way.name}: one endpoint changes, p50`, value: p50, unit: 'ms' },
    { name: `${way.name}: one endpoint changes, p99`, value: p99, unit: 'ms' },
  ]
}

const changes = async (backend: Backend): Promise<{ readonly p50: number; readonly p99: number }> => {
  const times: number[] = []
  for (let index = 0; index < CHANGES; index++) {
    const service = (index >> 1) + 1
    const set = [index % 2 === 0 ? forwardingOf(service, ENDPOINTS.slice(1)) : forwardingOf(service)]
    const started = performance.now()
    await backend.sync({ full: false, set, delete: [], node: NODE })
    times.push(performance.now() - started)
  }
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) }
}
