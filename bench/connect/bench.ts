import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { loadLibc } from '../../src/host/native/index.ts'
import { openTestCgroup } from '../../src/kernel/bpf/testing/index.ts'
import type { Backend } from '../../src/proxy/backend.ts'
import { median, percentile } from '../median.ts'
import type { Result } from '../result.ts'
import type { Answer, Request } from './client.ts'
import { ENDPOINTS, forwardingOf, NODE } from './services.ts'
import { type Path, WAYS, type Way, type WayDeps } from './ways.ts'
import { openWorld } from './world.ts'

const ROUNDS = 100
const CONNECTIONS = 300
const WARM_UP = 200
/** Connections before each measurement, for the caches. */
const SETTLE = 50
const CHANGES = 200

/** New connections through a ClusterIP among 10,000 Services, in each mode and without any, in turn, in one run. */
export const run = async (): Promise<readonly Result[]> => {
  const libc = await loadLibc()
  if ('missing' in libc) throw new Error(`connect: ${libc.missing}`)
  const world = await openWorld()
  const cgroup = await openTestCgroup()
  try {
    const clients: Client[] = []
    const figures: Result[] = []
    for (const way of WAYS) {
      const node = await world.addNode()
      figures.push(...(await prepare(way, { node, libc, cgroup })))
      const child = await node.start('client.ts')
      if (way.isInCgroup === true) await cgroup.add(child.pid ?? 0)
      for (const path of way.paths) {
        await ask(child, { targets: path.targets, count: WARM_UP })
        clients.push({ path, child })
      }
    }
    return [...summary(await measure(clients)), ...figures]
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

interface Client {
  readonly path: Path
  readonly child: ChildProcess
}

interface Round {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

const ask = async (child: ChildProcess, request: Request): Promise<Answer> => {
  const answer = once(child, 'message')
  child.send(request)
  const [message] = await answer
  return message as Answer
}

/** Each path once a round, in an order of chance: who comes after another path of the same process finds its caches warm. */
const measure = async (clients: readonly Client[]): Promise<ReadonlyMap<string, readonly Round[]>> => {
  const rounds = new Map<string, Round[]>(clients.map(({ path }) => [path.name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const { path, child } of shuffled(clients)) {
      await ask(child, { targets: path.targets, count: SETTLE })
      const { latencies, seconds, failures } = await ask(child, { targets: path.targets, count: CONNECTIONS })
      if (failures > 0) throw new Error(`connect: ${path.name}: ${failures} of ${CONNECTIONS} connections failed`)
      const [p50, p99] = [percentile(latencies, 0.5), percentile(latencies, 0.99)]
      rounds.get(path.name)?.push({ p50, p99, perSecond: CONNECTIONS / seconds })
    }
  }
  return rounds
}

const shuffled = <T>(values: readonly T[]): readonly T[] =>
  values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)

const summary = (rounds: ReadonlyMap<string, readonly Round[]>): readonly Result[] => {
  const names = [...rounds.keys()]
  const of = (name: string, figure: keyof Round): number => median((rounds.get(name) ?? []).map((each) => each[figure]))
  const figures = names.flatMap((name) => [
    { name: `${name}: connect latency p50`, value: of(name, 'p50'), unit: 'µs' },
    { name: `${name}: connect latency p99`, value: of(name, 'p99'), unit: 'µs' },
    { name: `${name}: connections a second, one at a time`, value: of(name, 'perSecond'), unit: '1/s' },
  ])
  return [...figures, ...names.flatMap((name) => ratios(rounds, name))]
}

/** Of each round, so that what slowed a round down for all counts in none. */
const ratios = (rounds: ReadonlyMap<string, readonly Round[]>, name: string): readonly Result[] => {
  const [mode = ''] = name.split(',')
  return ['direct', `direct beside ${mode}`].flatMap((base) => {
    const others = rounds.get(base)
    if (others === undefined || base === name) return []
    const ratio = (figure: keyof Round): number =>
      median((rounds.get(name) ?? []).map((each, index) => each[figure] / (others[index]?.[figure] ?? Number.NaN)))
    return [
      { name: `ratio to ${base}: ${name}: connect latency p50`, value: ratio('p50'), unit: '' },
      { name: `ratio to ${base}: ${name}: connections a second`, value: ratio('perSecond'), unit: '' },
    ]
  })
}
