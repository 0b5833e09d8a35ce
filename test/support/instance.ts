import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const NOBODY = 65_534

/** What `fairway status -o json` prints, as far as the tests read it. */
export interface Status {
  readonly ready: boolean
  readonly pid: number
  readonly kubeconfig: string
  readonly api: string
  readonly ingress: { readonly http: string; readonly https: string }
  readonly dns: string
  readonly proxyMode: string
  readonly proxyModeReason: string
  readonly notes: readonly string[]
  readonly version: string
  readonly nodeName: string
  readonly nodeAddress: string
  readonly substitutions: readonly {
    readonly what: string
    readonly address: string
    readonly port: number
    readonly substitute: number
  }[]
}

/** A `fairway up` of the built package in its own data folder, with free ports. */
export interface Instance {
  readonly status: Status
  readonly dataDir: string
  readonly process: ChildProcess
  /** Runs `fairway ARGS --data-dir DIR`; never rejects. */
  fairway(...args: readonly string[]): Promise<Output>
  /** SIGTERM, and waits for the exit; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL, and waits for the exit; the data folder stays. */
  kill(): Promise<void>
}

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface InstanceOptions {
  /** As an ordinary user: drops root for `nobody` when the tests run as root. */
  readonly asUser?: boolean
  readonly args?: readonly string[]
  /** Reuse this folder, for restarts. */
  readonly dataDir?: string
  /** Distinguishes the address ranges of instances that run at the same time. */
  readonly slot?: number
  /** Run in this network namespace, a machine of its own. */
  readonly namespace?: string
}

export const isRoot = process.geteuid?.() === 0

/** The words that run a command in a network namespace; the mounts stay, and with them the names of namespaces. */
export const inNamespace = (namespace: string | undefined, argv: readonly string[]): readonly string[] =>
  namespace === undefined ? argv : ['nsenter', `--net=/run/netns/${namespace}`, ...argv]

/** Runs a command; never rejects. */
export const command = async (
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly timeout?: number } = {},
): Promise<Output> => {
  try {
    const { stdout, stderr } = await run(file, [...args], { timeout: 60_000, maxBuffer: 64 << 20, ...options })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const failure = error as { code?: number | string; stdout?: string; stderr?: string; message: string }
    return {
      code: typeof failure.code === 'number' ? failure.code : 1,
      stdout: failure.stdout ?? '',
      stderr: failure.stderr || failure.message,
    }
  }
}

/** Starts an instance and waits until it is ready; fails with what it printed when it is not. */
export const startInstance = async (options: InstanceOptions = {}): Promise<Instance> => {
  const dataDir = options.dataDir ?? (await newDataDir(options.asUser === true))
  const { child, output } = spawnInstance(dataDir, options)
  const exited = once(child, 'exit').then(() => ({ code: 1, stdout: '', stderr: '' }))
  const fairway = (...args: readonly string[]): Promise<Output> => {
    const argv = [process.execPath, join(root, 'bin/fairway.js'), ...args, '--data-dir', dataDir]
    const [file = '', ...rest] = inNamespace(options.namespace, argv)
    return command(file, rest, { timeout: 120_000 })
  }
  const waited = await Promise.race([fairway('status', '--wait', '60s', '-o', 'json'), exited])
  if (waited.code !== 0) {
    child.kill('SIGKILL')
    throw new Error(
      `the instance did not become ready:\n${output()}\n${waited.stderr}\n${await tail(join(dataDir, 'fairway.log'))}`,
    )
  }
  return {
    status: JSON.parse(waited.stdout) as Status,
    dataDir,
    process: child,
    fairway,
    stop: async () => {
      const code = await end(child, 'SIGTERM')
      if (!options.dataDir) await rm(dataDir, { recursive: true, force: true })
      return code
    },
    kill: async () => {
      await end(child, 'SIGKILL')
    },
  }
}

/** A folder in which both root and nobody can run an instance. */
export const newDataDir = async (asUser: boolean): Promise<string> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'fairway-test-'))
  await chmod(dataDir, 0o700)
  if (asUser && isRoot) await chown(dataDir, NOBODY, NOBODY)
  return dataDir
}

/** Free ports and address ranges of its own, so that instances and tests do not meet. */
export const instanceArgs = (dataDir: string, { asUser, slot = 0, args = [] }: InstanceOptions): readonly string[] => {
  const network =
    isRoot && !asUser
      ? [`10.${97 + slot}.0.0/16`, `10.244.${slot + 1}.0/24`, `10.95.${slot}.0/24`]
      : [`127.${97 + slot}.0.0/16`, `127.244.${slot + 1}.0/24`, `127.95.${slot}.0/24`]
  return [
    ...['--data-dir', dataDir, '--api-port', '0', '--ingress-http', '0', '--ingress-https', '0'],
    ...['--service-cidr', network[0] ?? '', '--pod-cidr', network[1] ?? '', '--load-balancer-cidr', network[2] ?? ''],
    ...args,
  ]
}

const spawnInstance = (dataDir: string, options: InstanceOptions): { readonly child: ChildProcess; output(): string } => {
  const argv = [process.execPath, join(root, 'bin/fairway.js'), 'up', ...instanceArgs(dataDir, options)]
  const dropped =
    options.asUser && isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...argv] : argv
  const [file = '', ...rest] = inNamespace(options.namespace, dropped)
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: dataDir } })
  let text = ''
  const collect = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-20_000)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  return { child, output: () => text }
}

const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> => {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit')
  child.kill(signal)
  const [code] = (await exited) as [number | null]
  return code
}

const tail = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).slice(-5000)
