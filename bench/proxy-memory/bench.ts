import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { realExec } from '../../src/host/index.ts'
import { median } from '../median.ts'
import type { Result } from '../result.ts'
import { ENDPOINTS, NODE_NAME } from './objects.ts'

const SIZES = [10_000, 50_000]
const CHANGES = 1_000
const READINGS = 5
const BETWEEN_READINGS_MS = 1_000
const IDLE_MS = 5_000
const METRICS = '127.0.0.1:10249'
const NAMESPACE = `fairway-bench-${process.pid}`
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What `fairway proxy` of the built package holds in mode nftables: after its first sync, idle, and after a burst of changes. */
export const run = async (): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const size of SIZES) results.push(...(await inPlace((place) => measure(place, size))))
  return results
}

interface Place {
  readonly folder: string
  readonly children: ChildProcess[]
}

/** A folder and a network namespace that go with all processes in them. */
const inPlace = async <T>(act: (place: Place) => Promise<T>): Promise<T> => {
  const place: Place = { folder: await mkdtemp(join(tmpdir(), 'fairway-bench-')), children: [] }
  await realExec(['ip', 'netns', 'add', NAMESPACE])
  try {
    await realExec(['ip', '-n', NAMESPACE, 'link', 'set', 'lo', 'up'])
    return await act(place)
  } finally {
    for (const child of place.children) child.kill('SIGKILL')
    await Promise.all(place.children.map((child) => (child.exitCode ?? child.signalCode) === null && once(child, 'exit')))
    await realExec(['ip', 'netns', 'del', NAMESPACE])
    await rm(place.folder, { recursive: true, force: true })
  }
}

const measure = async (place: Place, size: number): Promise<readonly Result[]> => {
  const kubeconfig = join(place.folder, 'kubeconfig')
  const server = await startServer(place, size, kubeconfig)
  const startedAt = performance.now()
  const proxy = await startProxy(place, kubeconfig)
  const readySeconds = (performance.now() - startedAt) / 1_000
  const synced = await readings(proxy)
  await sleep(IDLE_MS)
  const idle = await readings(proxy)
  await burst(server)
  const changed = await readings(proxy)
  const name = `${size.toLocaleString('en-US')} Services × ${ENDPOINTS} endpoints`
  const figures = (when: string, { rss, pss, peak }: Memory): readonly Result[] => [
    { name: `${name}: resident memory, ${when}`, value: rss, unit: 'MiB' },
    { name: `${name}: proportional memory, ${when}`, value: pss, unit: 'MiB' },
    { name: `${name}: most resident memory until then, ${when}`, value: peak, unit: 'MiB' },
  ]
  return [
    { name: `${name}: start to ready`, value: readySeconds, unit: 's' },
    ...figures('first sync', synced),
    ...figures('idle', idle),
    ...figures(`after ${CHANGES.toLocaleString('en-US')} changes`, changed),
  ]
}

const startServer = async ({ children }: Place, size: number, kubeconfig: string): Promise<ChildProcess> => {
  const script = fileURLToPath(new URL('server.ts', import.meta.url))
  const argv = ['netns', 'exec', NAMESPACE, process.execPath, '--import', 'tsx', script, String(size), kubeconfig]
  const child = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  children.push(child)
  const isReady = await Promise.race([once(child, 'message').then(() => true), once(child, 'exit').then(() => false)])
  if (!isReady) throw new Error('proxy-memory: the API server ended before it was ready')
  return child
}

/** The command of the built package, when it has said that it is ready. `ip netns exec` becomes it: the child is the proxy. */
const startProxy = async ({ children }: Place, kubeconfig: string): Promise<ChildProcess> => {
  const flags = ['--kubeconfig', kubeconfig, '--proxy-mode', 'nftables', '--hostname-override', NODE_NAME]
  const argv = ['netns', 'exec', NAMESPACE, process.execPath, join(ROOT, 'bin/fairway.js'), 'proxy', ...flags]
  const child = spawn('ip', [...argv, '--metrics-bind-address', METRICS], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) if (line.startsWith('ready.')) return child
  throw new Error('proxy-memory: the proxy ended before it was ready')
}

interface Memory {
  readonly rss: number
  readonly pss: number
  readonly peak: number
}

/** Medians: a collection may come between two readings. */
const readings = async ({ pid }: ChildProcess): Promise<Memory> => {
  const taken: Memory[] = []
  for (let reading = 0; reading < READINGS; reading++) {
    await sleep(BETWEEN_READINGS_MS)
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    taken.push({ rss: mib(status, 'VmRSS'), pss: mib(rollup, 'Pss'), peak: mib(status, 'VmHWM') })
  }
  const of = (figure: keyof Memory): number => median(taken.map((each) => each[figure]))
  return { rss: of('rss'), pss: of('pss'), peak: of('peak') }
}

const mib = (text: string, field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1_024

/** Changes slices until the proxy has heard of all of them. */
const burst = async (server: ChildProcess): Promise<void> => {
  const before = await changesHeard()
  const done = once(server, 'message')
  server.send(CHANGES)
  await done
  while ((await changesHeard()) < before + CHANGES) await sleep(100)
}

const changesHeard = async (): Promise<number> => {
  const { stdout } = await realExec(['ip', 'netns', 'exec', NAMESPACE, 'curl', '-s', `http://${METRICS}/metrics`])
  return Number(/^kubeproxy_sync_proxy_rules_endpoint_changes_total (\d+)/m.exec(stdout)?.[1])
}
