import { type ChildProcess, spawn } from 'node:child_process'
import { errorCode, errorMessage } from '../base/index.ts'
import { HostError, missingCommand } from './errors.ts'

/** Runs a command to its end. Rejects with `HostError` when it can't be run, fails, takes too long or says too much. */
export type Exec = (argv: readonly [string, ...string[]], options?: ExecOptions) => Promise<ExecResult>

export interface ExecOptions {
  /** Written to standard input, which is then closed. */
  readonly stdin?: string | Uint8Array
  /** 30 s unless told. */
  readonly timeoutMs?: number
  /** Limit for standard output and for standard error, each; 64 MiB unless told. */
  readonly maxOutputBytes?: number
  readonly signal?: AbortSignal
  /** Added to this process' environment, with `LC_ALL=C`. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Exit codes that are no failure; only 0 unless told. */
  readonly okCodes?: readonly number[]
}

export interface ExecResult {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_OUTPUT = 64 * 1024 * 1024

/** {@link Exec} on this machine: no shell, its own process group, killed whole when it is cut short. */
export const realExec: Exec = (argv, options = {}) =>
  new Promise((resolve, reject) => {
    const [command, ...args] = argv
    if (options.signal?.aborted) return reject(failure(argv, 'ABORT_ERR', `${command}: aborted before it started`))
    const child = spawn(command, args, {
      cwd: options.cwd,
      // Messages are parsed, so they must not be translated.
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    const run = new Run(argv, child, options)
    run.finished.then(resolve, reject)
  })

class Run {
  readonly finished: Promise<ExecResult>
  readonly #argv: readonly string[]
  readonly #child: ChildProcess
  readonly #options: ExecOptions
  /** Why this run was cut short. */
  #cut: HostError | undefined
  #stdout: Buffer[] = []
  #stderr: Buffer[] = []

  constructor(argv: readonly string[], child: ChildProcess, options: ExecOptions) {
    this.#argv = argv
    this.#child = child
    this.#options = options
    this.finished = this.#follow()
  }

  async #follow(): Promise<ExecResult> {
    const { signal, stdin, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const name = this.#argv[0]
    this.#collect(this.#child.stdout, this.#stdout)
    this.#collect(this.#child.stderr, this.#stderr)
    // A command that ends without reading its input is judged by its exit code.
    this.#child.stdin?.on('error', () => {})
    this.#child.stdin?.end(stdin ?? '')
    const timer = setTimeout(() => this.#kill('ETIMEDOUT', `${name}: no end after ${timeoutMs} ms`), timeoutMs)
    const onAbort = (): void => this.#kill('ABORT_ERR', `${name}: aborted`)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return this.#judge(await this.#closed())
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #collect(stream: NodeJS.ReadableStream | null, into: Buffer[]): void {
    const { maxOutputBytes = DEFAULT_MAX_OUTPUT } = this.#options
    let size = 0
    stream?.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxOutputBytes) this.#kill('ENOBUFS', `${this.#argv[0]}: more than ${maxOutputBytes} bytes of output`)
      else into.push(chunk)
    })
  }

  #kill(code: string, message: string): void {
    this.#cut ??= failure(this.#argv, code, message)
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
  }

  #closed(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return new Promise((resolve, reject) => {
      this.#child.once('error', (error) => reject(startFailure(this.#argv, error)))
      this.#child.once('close', (code, signal) => resolve({ code, signal }))
    })
  }

  #judge(end: { code: number | null; signal: NodeJS.Signals | null }): ExecResult {
    if (this.#cut) throw this.#cut
    const stdout = Buffer.concat(this.#stdout).toString('utf8')
    const stderr = Buffer.concat(this.#stderr).toString('utf8')
    if (end.code === null) throw failure(this.#argv, 'EEXIT', `${this.#argv[0]}: killed by ${end.signal}`, { stderr })
    const { okCodes = [0] } = this.#options
    if (!okCodes.includes(end.code)) {
      const said = (stderr.trim() || stdout.trim()).slice(0, SAID_LIMIT)
      const message = `${this.#argv.slice(0, SHOWN_ARGUMENTS).join(' ')}: exit code ${end.code}: ${said}`
      throw failure(this.#argv, 'EEXIT', message, { stderr, exitCode: end.code })
    }
    return { stdout, stderr, code: end.code }
  }
}

const SAID_LIMIT = 2000
const SHOWN_ARGUMENTS = 8

const failure = (
  command: readonly string[],
  code: string,
  message: string,
  more: { readonly stderr?: string; readonly exitCode?: number; readonly cause?: unknown } = {},
): HostError => new HostError(message, { code, command, exitCode: more.exitCode, stderr: more.stderr }, { cause: more.cause })

/** The error of a command that could not be started at all. */
export const startFailure = (argv: readonly string[], error: unknown): HostError => {
  const code = errorCode(error) ?? 'EUNKNOWN'
  const command = argv[0] ?? ''
  const message = code === 'ENOENT' ? missingCommand(command) : `${command}: cannot start: ${errorMessage(error)}`
  return failure(argv, code, message, { cause: error })
}
