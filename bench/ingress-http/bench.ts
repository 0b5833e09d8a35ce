import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from '../median.ts'
import { processorSeconds } from '../processor-time.ts'
import type { Result } from '../result.ts'
import {
  HOST,
  PROGRAMS,
  type ProxyProcess,
  requirePrograms,
  startBackend,
  startCaddy,
  startFairway,
  startHAProxy,
  startNginxProxy,
} from './proxies.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3)

interface Load {
  readonly name: string
  readonly path: string
  readonly connections: number
}

const LOADS: readonly Load[] = [
  { name: '100 B, 64 connections', path: '/', connections: 64 },
  { name: '100 B, 512 connections', path: '/', connections: 512 },
  { name: '1 MB, 16 connections', path: '/1m', connections: 16 },
]

interface Measure {
  readonly perSecond: number
  /** Processor time of the proxy for each request. */
  readonly microseconds: number
  readonly p99Ms: number
}

/** Fairway's engine against nginx and HAProxy: one worker each, the same backend, rounds taken in turn, medians. */
export const run = async (): Promise<readonly Result[]> => {
  requirePrograms()
  const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'))
  const running: ProxyProcess[] = []
  const keep = async (starting: Promise<ProxyProcess>): Promise<ProxyProcess> => {
    const proxy = await starting
    running.push(proxy)
    return proxy
  }
  try {
    const backend = await keep(startBackend(folder))
    const proxies = [
      await keep(startNginxProxy(folder, backend)),
      await keep(startHAProxy(folder, backend)),
      await keep(startCaddy(folder, backend)),
      await keep(startFairway(backend)),
      await keep(startFairway(backend, { hosts: 10_000 })),
    ]
    return LOADS.flatMap((load) => compare(proxies, load))
  } finally {
    for (const proxy of running.reverse()) await proxy.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const compare = (proxies: readonly ProxyProcess[], load: Load): readonly Result[] => {
  const measures = new Map<ProxyProcess, Measure[]>(proxies.map((proxy) => [proxy, []]))
  for (const proxy of proxies) measure(proxy, load, 1)
  for (let round = 0; round < ROUNDS; round++) {
    for (const proxy of proxies) measures.get(proxy)?.push(measure(proxy, load, SECONDS))
  }
  const of = (name: string, pick: (measure: Measure) => number): number =>
    median((measures.get(proxies.find((proxy) => proxy.name === name) as ProxyProcess) ?? []).map(pick))
  const results = proxies.flatMap(({ name }): Result[] => [
    { name: `${name}: requests a second, ${load.name}`, value: of(name, (m) => m.perSecond), unit: 'requests/s' },
    { name: `${name}: processor time a request, ${load.name}`, value: of(name, (m) => m.microseconds), unit: 'µs' },
    { name: `${name}: p99, ${load.name}`, value: of(name, (m) => m.p99Ms), unit: 'ms' },
  ])
  const ratio = (other: string, mine = 'fairway'): number => of(mine, (m) => m.perSecond) / of(other, (m) => m.perSecond)
  return [
    ...results,
    { name: `ratio to nginx: requests a second, ${load.name}`, value: ratio('nginx'), unit: '×' },
    { name: `ratio to haproxy: requests a second, ${load.name}`, value: ratio('haproxy'), unit: '×' },
    { name: `ratio to caddy: requests a second, ${load.name}`, value: ratio('caddy'), unit: '×' },
    {
      name: `ratio to nginx: p99, ${load.name}`,
      value: of('fairway', (m) => m.p99Ms) / of('nginx', (m) => m.p99Ms),
      unit: '×',
    },
    {
      name: `ratio to one host: requests a second with 10,000 hosts, ${load.name}`,
      value: ratio('fairway', 'fairway, 10000 hosts'),
      unit: '×',
    },
    {
      name: `ratio to nginx: processor time a request, ${load.name}`,
      value: of('fairway', (m) => m.microseconds) / of('nginx', (m) => m.microseconds),
      unit: '×',
    },
  ]
}

const measure = (proxy: ProxyProcess, load: Load, seconds: number): Measure => {
  const before = processorSeconds(proxy.pid)
  const url = `http://127.0.0.1:${proxy.port}${load.path}`
  const args = ['-t1', `-c${load.connections}`, `-d${seconds}s`, '--latency', '-H', `Host: ${HOST}`, url]
  const { stdout, stderr } = spawnSync(PROGRAMS.wrk, args, { encoding: 'utf8' })
  const used = processorSeconds(proxy.pid) - before
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0)
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0)
  if (requests === 0 || /Non-2xx/.test(stdout)) throw new Error(`${proxy.name}: wrk failed\n${stdout}${stderr}`)
  return { perSecond, microseconds: (used / requests) * 1e6, p99Ms: milliseconds(/99%\s+([\d.]+\w+)/.exec(stdout)?.[1] ?? '0ms') }
}

const milliseconds = (text: string): number => {
  const value = Number.parseFloat(text)
  if (text.endsWith('us')) return value / 1_000
  return text.endsWith('ms') ? value : value * 1_000
}
