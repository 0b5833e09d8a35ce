import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Result } from '../result.ts'

const SERVER = '127.77.0.2'
const FAIRWAY = '127.77.0.3'
const HAPROXY = '127.77.0.4'
const FIRST_PORT = 21_080
const PORTS = 4
const ROUNDS = 3
const SECONDS = 3

interface Way {
  readonly name: string
  readonly address: string
  readonly answerPort: number
  readonly streamPort: number
  /** The proxy, whose CPU time is charged. */
  readonly pid?: number
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Userspace proxy, HAProxy in TCP mode and no proxy at all, in turn, several rounds, in one run. */
export const run = async (): Promise<readonly Result[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'))
  const children: ChildProcess[] = []
  try {
    children.push(await start('server.ts', [SERVER, String(FIRST_PORT), String(PORTS)]))
    const forwarder = await start('forwarder.ts', [FAIRWAY, SERVER, String(FIRST_PORT), String(PORTS)])
    children.push(forwarder)
    const ways: Way[] = [
      { name: 'direct', address: SERVER, answerPort: FIRST_PORT, streamPort: FIRST_PORT + PORTS },
      { name: 'userspace', address: FAIRWAY, answerPort: 8080, streamPort: 8081, ...pidOf(forwarder) },
    ]
    const haproxy = await startHaproxy(folder)
    if (haproxy === undefined) console.error('proxy-tcp: haproxy did not start (apt-get install haproxy), so it is left out')
    else {
      children.push(haproxy)
      ways.push({ name: 'HAProxy', address: HAPROXY, answerPort: 8080, streamPort: 8081, ...pidOf(haproxy) })
    }
    return await measure(ways)
  } finally {
    for (const child of children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

const pidOf = ({ pid }: ChildProcess): { readonly pid?: number } => (pid === undefined ? {} : { pid })

const start = async (name: string, args: readonly string[]): Promise<ChildProcess> => {
  const child = spawn(process.execPath, ['--import', 'tsx', script(name), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const ready = await Promise.race([once(child.stdout ?? child, 'data').then(() => true), once(child, 'exit').then(() => false)])
  if (!ready) throw new Error(`${name} ended before it was ready`)
  return child
}

const startHaproxy = async (folder: string): Promise<ChildProcess | undefined> => {
  const servers = Array.from({ length: PORTS }, (_, index) => `  server s${index} ${SERVER}:${FIRST_PORT + index}`)
  const config = [
    'global',
    '  nbthread 1',
    '  maxconn 4000',
    'defaults',
    '  mode tcp',
    '  timeout connect 3s',
    '  timeout client 1h',
    '  timeout server 1h',
    'listen answer',
    `  bind ${HAPROXY}:8080`,
    '  balance roundrobin',
    ...servers,
    'listen stream',
    `  bind ${HAPROXY}:8081`,
    `  server s ${SERVER}:${FIRST_PORT + PORTS}`,
    '',
  ]
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(file, config.join('\n'))
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  const failed = new Promise<'failed'>((resolve) => {
    child.once('error', () => resolve('failed'))
    child.once('exit', () => resolve('failed'))
  })
  for (;;) {
    const state = await Promise.race([failed, answers(HAPROXY, 8080)])
    if (state === 'failed') return undefined
    if (state) return child
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const answers = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port }, () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })

const measure = async (ways: readonly Way[]): Promise<readonly Result[]> => {
  const samples = new Map<string, number[]>()
  const add = (name: string, value: number): void => void samples.set(name, [...(samples.get(name) ?? []), value])
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of ways) {
      const connections = await load(way, 'connections', way.answerPort)
      add(`${way.name}: connections a second, 1 at a time|1/s`, (await load(way, 'connections', way.answerPort, 1)).perSecond)
      add(`${way.name}: connections a second, 16 at a time|1/s`, connections.perSecond)
      if (way.pid !== undefined)
        add(`${way.name}: CPU of the proxy for a connection|µs`, connections.cpuMicros / connections.count)
      const bytes = await load(way, 'bytes', way.streamPort)
      add(`${way.name}: bytes a second, 4 streams|MB/s`, bytes.perSecond / 1e6)
      if (way.pid !== undefined)
        add(`${way.name}: CPU of the proxy for a gigabyte|ms`, bytes.cpuMicros / 1e3 / (bytes.count / 1e9))
    }
  }
  const medians = new Map([...samples].map(([name, values]) => [name, median(values)]))
  const results = [...medians].map(([key, value]) => {
    const [name = '', unit = ''] = key.split('|')
    return { name, value, unit }
  })
  return [...results, ...ratios(results, 'direct'), ...ratios(results, 'HAProxy')]
}

const ratios = (results: readonly Result[], base: string): readonly Result[] =>
  results.flatMap(({ name, value }) => {
    const what = name.replace('userspace: ', '')
    const other = results.find((each) => each.name === `${base}: ${what}`)
    return what === name || other === undefined
      ? []
      : [{ name: `ratio to ${base}: ${what}`, value: value / other.value, unit: '' }]
  })

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

interface Load {
  readonly count: number
  readonly perSecond: number
  readonly cpuMicros: number
}

const exec = promisify(execFile)

const load = async (
  way: Way,
  mode: 'connections' | 'bytes',
  port: number,
  parallel = mode === 'bytes' ? 4 : 16,
): Promise<Load> => {
  const before = cpuMicros(way.pid)
  const args = ['--import', 'tsx', script('client.ts'), mode, way.address, String(port), String(SECONDS), String(parallel)]
  const { stdout } = await exec(process.execPath, args)
  const { count, perSecond, failures } = JSON.parse(stdout) as { count: number; perSecond: number; failures: number }
  if (failures > count / 1_000) throw new Error(`${way.name}: ${failures} of ${count} connections failed`)
  return { count, perSecond, cpuMicros: cpuMicros(way.pid) - before }
}

/** A process's CPU time, from /proc; its clock has 100 ticks a second. */
const cpuMicros = (pid: number | undefined): number => {
  if (pid === undefined) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}
