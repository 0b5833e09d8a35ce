import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  HOST,
  makeCertificate,
  PROGRAMS,
  type ProxyProcess,
  requirePrograms,
  startBackend,
  startCaddy,
  startFairway,
  startHAProxy,
  startNginxProxy,
} from '../ingress-http/proxies.ts'
import { median } from '../median.ts'
import { processorSeconds } from '../processor-time.ts'
import type { Result } from '../result.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3)

interface Measure {
  readonly perSecond: number
  readonly microseconds: number
}

interface Load {
  readonly name: string
  run(proxy: ProxyProcess, seconds: number): { readonly requests: number; readonly perSecond: number }
}

const url = (proxy: ProxyProcess): string => `https://localhost:${proxy.tlsPort}/`

const wrk = (proxy: ProxyProcess, args: readonly string[]): ReturnType<Load['run']> => {
  const { stdout, stderr } = spawnSync(PROGRAMS.wrk, ['-t1', ...args, '-H', `Host: ${HOST}`, url(proxy)], { encoding: 'utf8' })
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0)
  if (requests === 0 || /Non-2xx/.test(stdout)) throw new Error(`${proxy.name}: wrk failed\n${stdout}${stderr}`)
  return { requests, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0) }
}

const h2load = (proxy: ProxyProcess, args: readonly string[]): ReturnType<Load['run']> => {
  const target = [`--connect-to=127.0.0.1:${proxy.tlsPort}`, `https://${HOST}:${proxy.tlsPort}/`]
  const { stdout, stderr } = spawnSync(PROGRAMS.h2load, [...args, ...target], { encoding: 'utf8' })
  const [, done, succeeded] = /requests: .* (\d+) done, (\d+) succeeded/.exec(stdout) ?? []
  if (done === undefined || succeeded === '0' || !/Application protocol: h2/.test(stdout))
    throw new Error(`${proxy.name}: h2load failed\n${stdout}${stderr}`)
  return { requests: Number(succeeded), perSecond: Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(stdout)?.[1] ?? 0) }
}

const LOADS: readonly Load[] = [
  { name: 'TLS, HTTP/1.1, 64 connections', run: (proxy, seconds) => wrk(proxy, ['-c64', `-d${seconds}s`]) },
  // A new connection and a full handshake for every request.
  {
    name: 'new TLS connections, P-256',
    run: (proxy, seconds) => wrk(proxy, ['-c32', `-d${seconds}s`, '-H', 'Connection: close']),
  },
  { name: 'HTTP/2, 16 connections, 10 streams', run: (proxy, seconds) => h2load(proxy, ['-c16', '-m10', '-D', String(seconds)]) },
]

/** The engine's TLS port beside the others': one worker each, the same certificate and backend, rounds in turn, medians. */
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
    const tls = makeCertificate(folder)
    const backend = await keep(startBackend(folder))
    const proxies = [
      await keep(startNginxProxy(folder, backend, tls)),
      await keep(startHAProxy(folder, backend, tls)),
      await keep(startCaddy(folder, backend, tls)),
      await keep(startFairway(backend, { tls })),
    ]
    return LOADS.flatMap((load) => compare(proxies, load))
  } finally {
    for (const proxy of running.reverse()) await proxy.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const compare = (proxies: readonly ProxyProcess[], load: Load): readonly Result[] => {
  const measures = new Map<string, Measure[]>(proxies.map(({ name }) => [name, []]))
  for (const proxy of proxies) load.run(proxy, 1)
  for (let round = 0; round < ROUNDS; round++) {
    for (const proxy of proxies) {
      const before = processorSeconds(proxy.pid)
      const { requests, perSecond } = load.run(proxy, SECONDS)
      const microseconds = ((processorSeconds(proxy.pid) - before) / requests) * 1e6
      measures.get(proxy.name)?.push({ perSecond, microseconds })
    }
  }
  const of = (name: string, pick: (measure: Measure) => number): number => median((measures.get(name) ?? []).map(pick))
  const ratio = (other: string): number => of('fairway', (m) => m.perSecond) / of(other, (m) => m.perSecond)
  return [
    ...proxies.flatMap(({ name }): Result[] => [
      { name: `${name}: requests a second, ${load.name}`, value: of(name, (m) => m.perSecond), unit: 'requests/s' },
      { name: `${name}: processor time a request, ${load.name}`, value: of(name, (m) => m.microseconds), unit: 'µs' },
    ]),
    ...['nginx', 'haproxy', 'caddy'].map((other) => ({
      name: `ratio to ${other}: requests a second, ${load.name}`,
      value: ratio(other),
      unit: '×',
    })),
    {
      name: `ratio to nginx: processor time a request, ${load.name}`,
      value: of('fairway', (m) => m.microseconds) / of('nginx', (m) => m.microseconds),
      unit: '×',
    },
  ]
}
