import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type Clock, errorMessage } from '../../base/index.ts'
import { childrenOf, type ExitStatus, type Host, type SpawnedProcess } from '../../host/index.ts'
import type { HandlerOutcome } from '../probe/outcome.ts'
import { hostMounts } from './host-mounts.ts'
import { createJournal, INSTANCE_VARIABLE, type Journal } from './journal.ts'
import { enterCommand, type Isolation, type Launch, launchCommand } from './launch.ts'
import { type RootfsPlan, rootfsCommands, rootOf } from './rootfs.ts'

/** Starts containers as processes. */
export interface Runtime {
  readonly isolation: Isolation['kind']
  /** Containers can have a view of their own of the file system; these file systems of the machine belong into it. */
  readonly views: { readonly lowerMounts: readonly string[] } | undefined
  /** Rejects with `HostError` when the process can't be started. */
  start(request: StartRequest): Promise<ContainerProcess>
}

export interface StartRequest extends Omit<Launch, 'isolation' | 'setup' | 'root'> {
  readonly env: ReadonlyMap<string, string>
  /** Only where the runtime has `views`. */
  readonly view?: RootfsPlan
}

export interface ContainerProcess {
  readonly pid: number
  readonly stdout: Readable
  readonly stderr: Readable
  readonly exited: Promise<ExitStatus>
  /** Asks the container to end, with its stop signal. */
  stop(signal: NodeJS.Signals): Promise<void>
  kill(): void
  /** Runs a command beside the container's process, in its namespaces and environment. */
  run(command: readonly string[], options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<HandlerOutcome>
}

export interface RuntimeOptions {
  readonly host: Host
  readonly dataDir: string
  /** The instance's tag. */
  readonly tag: string
  readonly clock: Clock
}

/** The best isolation that this machine gives us. */
export const createRuntime = async (options: RuntimeOptions): Promise<Runtime> => {
  const { host, dataDir } = options
  const isolation = await chooseIsolation(host)
  const views = isolation === 'full' ? await chooseViews(options) : undefined
  const journal = createJournal(host.files, dataDir)
  return {
    isolation,
    views,
    async start({ env: variables, view, ...rest }) {
      const env = { ...Object.fromEntries(variables), [INSTANCE_VARIABLE]: options.tag }
      if (view) await host.files.makeFolder(view.folder)
      const root = view === undefined ? {} : { root: rootOf(view) }
      const launch = { ...rest, ...root, isolation, setup: view === undefined ? [] : rootfsCommands(view) }
      const child = await host.spawn(launchCommand(launch), { env, tellsReady: true })
      await journal.add(child.pid)
      if (!(await child.ready)) {
        await journal.remove(child.pid)
        throw new Error(`the container could not be set up: ${await firstBytes(child.stdout, child.stderr)}`)
      }
      return containerProcess({ child, env, isolation, journal, options })
    },
  }
}

const chooseIsolation = async (host: Host): Promise<Isolation['kind']> => {
  const { isRoot, processNamespaces, userNamespaces, tools } = await host.capabilities()
  if (!tools.has('unshare') || !tools.has('nsenter') || !tools.has('setpriv')) return 'none'
  if (isRoot ? !processNamespaces.usable : !userNamespaces.usable) return 'none'
  const kind = isRoot ? 'full' : 'processes'
  return (await works(host, { ...TRIAL, isolation: kind })) ? kind : 'none'
}

const TRIAL = { argv: ['true'], workingDir: '/', hostname: 'trial', setup: [] }

const chooseViews = async ({ host, dataDir }: RuntimeOptions): Promise<Runtime['views']> => {
  if (!(await host.capabilities()).tools.has('mount')) return undefined
  const folder = join(dataDir, 'node', 'trial')
  await host.files.makeFolder(folder)
  const lowerMounts = await hostMounts()
  const view = { folder, lower: '/', lowerMounts, files: [], mounts: [], hidden: [], workingDir: '/' }
  const usable = await works(host, { ...TRIAL, isolation: 'full', setup: rootfsCommands(view), root: rootOf(view) })
  await host.files.remove(folder)
  return usable ? { lowerMounts } : undefined
}

const works = async (host: Host, launch: Launch): Promise<boolean> => {
  try {
    const child = await host.spawn(launchCommand(launch), { env: { PATH: SYSTEM_PATH }, tellsReady: true })
    child.stdout.resume()
    child.stderr.resume()
    const [ready, status] = await Promise.all([child.ready, child.exited])
    return ready && status.kind === 'exited' && status.code === 0
  } catch {
    return false
  }
}

/** What containers get as PATH unless they say otherwise. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

interface Parts {
  readonly child: SpawnedProcess
  readonly env: Readonly<Record<string, string>>
  readonly isolation: Isolation['kind']
  readonly journal: Journal
  readonly options: RuntimeOptions
}

const containerProcess = (parts: Parts): ContainerProcess => {
  const { child, isolation, journal } = parts
  const exited = child.exited.then(async (status) => {
    // What the process left in its group goes with it.
    child.signal('SIGKILL')
    await journal.remove(child.pid).catch(() => {})
    return status
  })
  return {
    pid: child.pid,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    async stop(signal) {
      // As a container runtime does, only the container's own process is asked; what it started goes with it.
      if (isolation === 'none') child.signal(signal)
      else for (const pid of await ownProcesses(child.pid)) signalProcess(pid, signal)
    },
    kill: () => void child.signal('SIGKILL'),
    run: (command, runOptions) => runInside(parts, command, runOptions),
  }
}

const signalProcess = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // Ended meanwhile.
  }
}

/** The container's own processes: below `unshare` is process 1, below that what it started. */
const ownProcesses = async (pid: number): Promise<readonly number[]> => {
  const [init] = await childrenOf(pid)
  return init === undefined ? [] : childrenOf(init)
}

const OUTPUT_LIMIT = 10 * 1024

const runInside = async (
  parts: Parts,
  command: readonly string[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<HandlerOutcome> => {
  const [first, ...rest] = command
  if (first === undefined) return { ok: false, output: 'no command' }
  const { child, env, isolation } = parts
  const own = isolation === 'none' ? undefined : (await ownProcesses(child.pid))[0]
  if (isolation !== 'none' && own === undefined) return { ok: false, output: 'container is not running' }
  const argv: readonly [string, ...string[]] = own === undefined ? [first, ...rest] : enterCommand(own, command, isolation)
  try {
    const helper = await parts.options.host.spawn(argv, { env })
    const kill = (): void => void helper.signal('SIGKILL')
    const timer = parts.options.clock.setTimer(kill, options.timeoutMs)
    options.signal.addEventListener('abort', kill, { once: true })
    const [output, status] = await Promise.all([firstBytes(helper.stdout, helper.stderr), helper.exited])
    timer.cancel()
    options.signal.removeEventListener('abort', kill)
    if (status.kind === 'signaled') return { ok: false, output: `command timed out or was killed (${status.signal}): ${output}` }
    return { ok: status.code === 0, output: output || `exit code ${status.code}` }
  } catch (error) {
    return { ok: false, output: errorMessage(error) }
  }
}

const firstBytes = async (...streams: readonly Readable[]): Promise<string> => {
  let text = ''
  await Promise.all(
    streams.map(async (stream) => {
      for await (const chunk of stream) if (text.length < OUTPUT_LIMIT) text += String(chunk)
    }),
  )
  return text.slice(0, OUTPUT_LIMIT).trim()
}
