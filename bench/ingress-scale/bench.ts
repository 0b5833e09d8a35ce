import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type FairwayProcess,
  HOST,
  hostName,
  PROGRAMS,
  type ProxyProcess,
  requirePrograms,
  routesTo,
  startBackend,
  startFairway,
} from '../ingress-http/proxies.ts'
import { median, percentile } from '../median.ts'
import { processorSeconds } from '../processor-time.ts'
import type { Result } from '../result.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3)
const HOSTS = 10_000
const PATHS = 5
const CHANGES = 1_000
const TIMED_CHANGES = 200

/** The engine with many routes, with changes while it serves, and with a second worker. */
export const run = async (): Promise<readonly Result[]> => {
  requirePrograms()
  const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'))
  const running: ProxyProcess[] = []
  const keep = async <T extends ProxyProcess>(starting: Promise<T>): Promise<T> => {
    const proxy = await starting
    running.push(proxy)
    return proxy
  }
  try {
    const backend = await keep(startBackend(folder))
    const one = await keep(startFairway(backend))
    const many = await keep(startFairway(backend, { hosts: HOSTS }))
    return [
      ...(await size(one, many)),
      ...(await memory(one, many)),
      ...(await serving(many)),
      ...(await changesUnderLoad(many)),
      ...(await secondWorker(one, await keep(startFairway(backend, { workers: 2 })))),
    ]
  } finally {
    for (const proxy of running.reverse()) await proxy.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Load {
  readonly requests: number
  readonly perSecond: number
  readonly p99Ms: number
  readonly failed: number
}

const load = (proxy: ProxyProcess, host: string, seconds: number): Promise<Load> =>
  new Promise((resolve, reject) => {
    const args = ['-t1', '-c64', `-d${seconds}s`, '--latency', '-H', `Host: ${host}`, `http://127.0.0.1:${proxy.port}/a/b`]
    const child = spawn(PROGRAMS.wrk, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (piece) => {
      text += piece
    })
    child.on('error', reject)
    child.on('close', () => {
      const socketErrors = [...text.matchAll(/(?:connect|read|write|timeout) (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0)
      resolve({
        requests: Number(/(\d+) requests in/.exec(text)?.[1] ?? 0),
        perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
        p99Ms: milliseconds(/99%\s+([\d.]+\w+)/.exec(text)?.[1] ?? '0ms'),
        failed: socketErrors + Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0),
      })
    })
  })

const milliseconds = (text: string): number => {
  const value = Number.parseFloat(text)
  if (text.endsWith('us')) return value / 1_000
  return text.endsWith('ms') ? value : value * 1_000
}

const size = async (one: ProxyProcess, many: ProxyProcess): Promise<readonly Result[]> => {
  const ratios: number[] = []
  const costs: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const [a, b] = [await measured(one, HOST), await measured(many, hostName(HOSTS / 2))]
    if (round > 0) ratios.push(b.perSecond / a.perSecond)
    if (round > 0) costs.push(b.microseconds / a.microseconds)
  }
  return [
    { name: `ratio to one host: requests a second with ${HOSTS} hosts × ${PATHS} paths`, value: median(ratios), unit: '×' },
    { name: `ratio to one host: processor time a request with ${HOSTS} hosts × ${PATHS} paths`, value: median(costs), unit: '×' },
  ]
}

const measured = async (
  proxy: ProxyProcess,
  host: string,
): Promise<{ readonly perSecond: number; readonly microseconds: number }> => {
  const before = processorSeconds(proxy.pid)
  const { perSecond, requests } = await load(proxy, host, SECONDS)
  return { perSecond, microseconds: ((processorSeconds(proxy.pid) - before) / requests) * 1e6 }
}

const memory = async (one: ProxyProcess, many: ProxyProcess): Promise<readonly Result[]> => {
  const bytes = (residentBytes(many.pid) - residentBytes(one.pid)) / (HOSTS * PATHS)
  return [{ name: `memory of a route in a worker, of ${HOSTS * PATHS}`, value: bytes, unit: 'B' }]
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1_024

/** From the call that changes a host to the first answer that shows it. */
const serving = async ({ engine, port }: FairwayProcess): Promise<readonly Result[]> => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  for (let i = 0; i < TIMED_CHANGES; i++) {
    const name = `new-${i}.example.com`
    const begun = performance.now()
    await engine.update({ hosts: new Map([[name, routesTo('pods')]]) })
    const status = await statusOf(agent, port, name)
    if (status !== 200) throw new Error(`the change is not served: ${status}`)
    times.push(performance.now() - begun)
  }
  agent.destroy()
  return [
    { name: `a changed host is served, of ${HOSTS}: p50`, value: median(times), unit: 'ms' },
    { name: `a changed host is served, of ${HOSTS}: p99`, value: percentile(times, 0.99), unit: 'ms' },
  ]
}

const statusOf = (agent: http.Agent, port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const request = http.get({ agent, port, host: '127.0.0.1', path: '/a', headers: { host } }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    request.on('error', reject)
  })

/** Route changes spread over the time of the load, in turn with the same load without them. */
const changesUnderLoad = async (many: FairwayProcess): Promise<readonly Result[]> => {
  const ratios: number[] = []
  let failed = 0
  for (let round = 0; round < ROUNDS; round++) {
    const quiet = await load(many, HOST, SECONDS)
    const under = load(many, HOST, SECONDS)
    const changed = change(many, CHANGES / ROUNDS, round)
    const busy = await under
    await changed
    failed += busy.failed + quiet.failed
    ratios.push(busy.p99Ms / quiet.p99Ms)
  }
  return [
    { name: `requests that failed while ${CHANGES} routes changed`, value: failed, unit: 'requests' },
    { name: `ratio to no changes: p99 while ${CHANGES} routes change`, value: median(ratios), unit: '×' },
  ]
}

const change = async ({ engine }: FairwayProcess, count: number, round: number): Promise<void> => {
  const pauseMs = (SECONDS * 1_000) / count
  for (let i = 0; i < count; i++) {
    await engine.update({ hosts: new Map([[hostName(i), i % 2 === round % 2 ? null : routesTo('pods')]]) })
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

const secondWorker = async (one: ProxyProcess, two: FairwayProcess): Promise<readonly Result[]> => {
  const ratios: number[] = []
  const shares: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const alone = await load(one, HOST, SECONDS)
    const before = two.pids.map(processorSeconds)
    const both = await load(two, HOST, SECONDS)
    const used = two.pids.map((pid, i) => processorSeconds(pid) - (before[i] ?? 0))
    if (round > 0) ratios.push(both.perSecond / alone.perSecond)
    if (round > 0) shares.push(Math.max(...used) / used.reduce((sum, value) => sum + value, 0))
  }
  return [
    { name: 'ratio to one worker: requests a second with two', value: median(ratios), unit: '×' },
    { name: 'the busier of two workers: its share of their processor time', value: median(shares), unit: '×' },
  ]
}
