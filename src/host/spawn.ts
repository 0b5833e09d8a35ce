import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Readable } from 'node:stream'
import { startFailure } from './exec.ts'

/** Starts a command that goes on; resolves when it runs, rejects with `HostError` when it can't be started. */
export type Spawn = (argv: readonly [string, ...string[]], options: SpawnOptions) => Promise<SpawnedProcess>

export interface SpawnOptions {
  /** The whole environment of the command: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The command writes to file descriptor 3 when it is ready (see `ready`). */
  readonly tellsReady?: boolean
}

/** A process in a process group of its own; the kernel kills it when this process ends in whatever way (where `setpriv` is there). */
export interface SpawnedProcess {
  /** Also the id of its process group. */
  readonly pid: number
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves with true when the process said so on file descriptor 3 (or when it can't), with false when it ended before. */
  readonly ready: Promise<boolean>
  /** Resolves when the process has ended; its output may still have readers. Never rejects. */
  readonly exited: Promise<ExitStatus>
  /** Signals the whole group; false when nothing of it is left. */
  signal(signal: NodeJS.Signals): boolean
}

/** How a process ended: an exit code, or the signal that killed it. */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: NodeJS.Signals }

/** {@link Spawn} on this machine. */
export const realSpawn: Spawn = async (argv, options) => {
  const [command, ...args] = wrapped(argv)
  const { env, cwd, tellsReady = false } = options
  const stdio = ['ignore', 'pipe', 'pipe', ...(tellsReady ? (['pipe'] as const) : [])] as const
  // Node's types know the streams of three descriptors only.
  const child = spawn(command, args, { cwd, env: { ...env }, stdio: [...stdio], detached: true }) as ChildProcessByStdio<
    null,
    Readable,
    Readable
  >
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signaled', signal }),
    )
  })
  const pid = await started(child, argv)
  const ready = tellsReady ? firstWord(child.stdio[READY_FD], exited) : Promise.resolve(true)
  return { pid, stdout: child.stdout, stderr: child.stderr, ready, exited, signal: (signal) => signalGroup(pid, signal) }
}

/**
 * Signals a process group; false when nothing of it is left.
 * A leader that was not waited for yet still counts as there.
 */
export const signalGroup = (pgid: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    process.kill(-pgid, signal)
    return true
  } catch {
    return false
  }
}

const READY_FD = 3

const firstWord = async (stream: unknown, exited: Promise<ExitStatus>): Promise<boolean> => {
  if (!(stream instanceof Readable)) return true
  stream.on('error', () => {})
  const spoke = new Promise<boolean>((resolve) => stream.once('data', () => resolve(true)))
  const ready = await Promise.race([spoke, exited.then(() => false)])
  stream.destroy()
  return ready
}

const wrapped = (argv: readonly [string, ...string[]]): readonly [string, ...string[]] => {
  const setpriv = findOnPath('setpriv')
  return setpriv === undefined ? argv : [setpriv, '--pdeathsig', 'KILL', '--', ...argv]
}

const started = (child: ChildProcessByStdio<null, Readable, Readable>, argv: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once('error', (error) => reject(startFailure(argv, error)))
    child.once('spawn', () => {
      if (child.pid === undefined) reject(startFailure(argv, new Error('no process id')))
      else resolve(child.pid)
    })
  })

const found = new Map<string, string | undefined>()

/** The full path of a command on PATH and the system's usual folders (which an ordinary user's PATH may lack); looked up once. */
export const findOnPath = (command: string): string | undefined => {
  if (!found.has(command)) found.set(command, search(command))
  return found.get(command)
}

const search = (command: string): string | undefined => {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
  return folders.map((folder) => join(folder, command)).find(isExecutable)
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
