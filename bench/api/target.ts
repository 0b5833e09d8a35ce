import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Agent, type Dispatcher } from 'undici'

/** The API server under test, in a process of its own. */
export interface Target {
  create(path: string, object: unknown): Promise<void>
  /** Reads the whole answer; gives its text. */
  read(path: string): Promise<string>
  /** An open stream of lines, on a connection of its own. */
  watch(path: string, onLines: (count: number) => void, signal: AbortSignal): Promise<void>
  /** Of the server's process, in MiB. */
  residentMemory(): number
  /** CPU time that the server's process has used, in milliseconds. */
  cpuMs(): number
  stop(): Promise<void>
}

interface Whereabouts {
  readonly url: string
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

export const startTarget = async (): Promise<Target> => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-api-'))
  const script = fileURLToPath(new URL('server.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, folder], { stdio: ['pipe', 'pipe', 'inherit'] })
  const { url, authority, certificate, key } = await firstLine(child)
  const agent = new Agent({ connect: { ca: authority, cert: certificate, key }, bodyTimeout: 0, headersTimeout: 60_000 })
  const send = (options: Partial<Dispatcher.RequestOptions> & { readonly path: string }) =>
    agent.request({ origin: url, method: 'GET', ...options })
  return {
    async create(path, object) {
      const headers = { 'content-type': 'application/json' }
      const { statusCode, body } = await send({ method: 'POST', path, headers, body: JSON.stringify(object) })
      const text = await body.text()
      if (statusCode !== 201) throw new Error(`create: ${statusCode} ${text}`)
    },
    async read(path) {
      const { statusCode, body } = await send({ path })
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`read: ${statusCode} ${text}`)
      return text
    },
    async watch(path, onLines, signal) {
      const { statusCode, body } = await send({ path, signal })
      if (statusCode !== 200) throw new Error(`watch: ${statusCode}`)
      body.on('data', (chunk: Buffer) => onLines(countLines(chunk)))
      body.on('error', () => {})
    },
    residentMemory: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    cpuMs: () => {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS
    },
    async stop() {
      await agent.destroy()
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const firstLine = async (child: ChildProcess): Promise<Whereabouts> => {
  if (child.stdout === null) throw new Error('the server has no output')
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line)
  throw new Error('the server ended before it served')
}

/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const TICK_MS = 10

const NEWLINE = 10

const countLines = (chunk: Buffer): number => {
  let count = 0
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count++
  return count
}
