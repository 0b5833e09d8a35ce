import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { instanceArgs, newDataDir, type Status } from '../../test/support/instance.ts'
import { median } from '../median.ts'
import type { Result } from '../result.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ROUNDS = 5
const PATIENCE_MS = 60_000

interface Round {
  readonly readyMs: number
  readonly firstAnswerMs: number
  readonly fairwayMiB: number
  readonly podsMiB: number
}

export const run = async (): Promise<readonly Result[]> => {
  const rounds: Round[] = []
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measure())
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick))
  return [
    { name: 'start to ready', value: of((r) => r.readyMs), unit: 'ms' },
    { name: 'start to first answered request of shop', value: of((r) => r.firstAnswerMs), unit: 'ms' },
    { name: 'memory of fairway (PSS, control plane and Ingress worker)', value: of((r) => r.fairwayMiB), unit: 'MiB' },
    { name: 'memory of the five pods of shop (PSS)', value: of((r) => r.podsMiB), unit: 'MiB' },
  ]
}

const measure = async (): Promise<Round> => {
  const dataDir = await newDataDir(false)
  const startMs = performance.now()
  const args = instanceArgs(dataDir, { slot: 9, args: ['-f', join(root, 'examples/shop')] })
  const child = spawn(process.execPath, [join(root, 'bin/fairway.js'), 'up', ...args], { stdio: 'ignore' })
  try {
    const status = await until(() => readReady(dataDir))
    const readyMs = performance.now() - startMs
    await until(async () => ((await answered(status)) ? true : undefined))
    const firstAnswerMs = performance.now() - startMs
    const memory = memoryOf(child.pid ?? 0)
    return { readyMs, firstAnswerMs, ...memory }
  } finally {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await exited
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Polls: what is measured is another process, which tells nobody. The step of 5 ms is the resolution of the figures. */
const until = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
  const limit = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > limit) throw new Error('bench start: not ready within a minute')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const readReady = async (dataDir: string): Promise<Status | undefined> => {
  try {
    const status: Status = JSON.parse(readFileSync(join(dataDir, 'status.json'), 'utf8'))
    return status.ready ? status : undefined
  } catch {
    return undefined
  }
}

const answered = (status: Status): Promise<boolean> =>
  new Promise((resolve) => {
    const call = request(new URL('/api', status.ingress.http), { headers: { host: 'shop.localhost' } }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.on('error', () => resolve(false))
    call.end()
  })

/** Fairway's own processes are the child and its workers; every other descendant belongs to a pod. */
const memoryOf = (pid: number): Pick<Round, 'fairwayMiB' | 'podsMiB'> => {
  let fairwayMiB = 0
  let podsMiB = 0
  for (const process of [pid, ...descendants(pid)]) {
    const isOwn = process === pid || commandOf(process).includes('l7/workers')
    if (isOwn) fairwayMiB += pssMiB(process)
    else podsMiB += pssMiB(process)
  }
  return { fairwayMiB, podsMiB }
}

const descendants = (pid: number): readonly number[] => {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(Number(name)) === pid)
    .map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process ended while we looked.
    return ''
  }
}

const parentOf = (pid: number): number => Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1])
const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`)
const pssMiB = (pid: number): number => Number(/^Pss:\s*(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024
