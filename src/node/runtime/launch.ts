/** How a container's process is set apart from the machine. */
export interface Isolation {
  /**
   * `full`: process, mount and host name namespaces (root); `processes`: a process namespace inside a user namespace (ordinary user);
   * `none`: just a process group. With a process namespace nothing that a container started can outlive it.
   */
  readonly kind: 'full' | 'processes' | 'none'
}

export interface Launch {
  readonly isolation: Isolation['kind']
  readonly argv: readonly string[]
  readonly workingDir: string
  readonly hostname: string
  /** The network namespace's file; undefined for the machine's network. */
  readonly namespacePath?: string
  /** Shell commands that set the container's view up, run before it starts. */
  readonly setup: readonly string[]
  /** A folder to make the container's root. */
  readonly root?: string
}

/** The command line that starts a container. Pure. */
export const launchCommand = (launch: Launch): readonly [string, ...string[]] => {
  const { isolation, namespacePath, argv } = launch
  if (isolation === 'none')
    return inNetwork(namespacePath, ['sh', '-c', PLAIN_SCRIPT, 'fairway-init', launch.workingDir, ...argv])
  const init = ['sh', '-c', initScript(launch), 'fairway-init', ...argv]
  const separate = ['--pid', '--mount-proc', '--fork', '--kill-child=KILL', '--']
  if (isolation === 'full')
    return inNetwork(namespacePath, ['unshare', '--mount', '--uts', '--propagation', 'slave', ...separate, ...init])
  // Entering a user namespace makes the kernel forget the wish to die with the parent: it is repeated inside. The capabilities
  // that the namespace brings are needed to make the others, and dropped before the container's process starts.
  const user = ['unshare', '--user', '--map-current-user', '--keep-caps', '--', 'setpriv', '--pdeathsig', 'KILL', '--'] as const
  return [...user, 'unshare', '--mount', ...separate, 'setpriv', '--ambient-caps=-all', '--inh-caps=-all', '--', ...init]
}

/** File descriptor 3 is where the command says that it is about to start (`SpawnOptions.tellsReady`). */
const PLAIN_SCRIPT = 'cd "$1" && shift && echo >&3 && exec 3>&- && exec "$@"'

const inNetwork = (namespacePath: string | undefined, argv: readonly [string, ...string[]]): readonly [string, ...string[]] =>
  namespacePath === undefined ? argv : ['nsenter', `--net=${namespacePath}`, '--', ...argv]

/**
 * Process 1 of the container's process namespace: it sets the view up, starts the container's own process and ends with its exit code.
 * The own process is not process 1 itself, so that signals act on it as they do elsewhere (process 1 ignores those that it has no handler for).
 * The shell says nothing of its own into the container's log. It starts background commands with SIGINT and SIGQUIT ignored; `env` undoes that.
 */
const initScript = ({ isolation, hostname, setup, root, workingDir }: Launch): string => {
  const name = isolation === 'full' ? [`echo ${quote(hostname)} > /proc/sys/kernel/hostname`] : []
  const folder = root === undefined ? [`cd ${quote(workingDir)}`] : []
  // The new root may hold no tools at all: what enters it comes from outside.
  const enter = root === undefined ? '' : `unshare --root=${quote(root)} --wd=${quote(workingDir)} -- `
  return [
    'set -e',
    ...name,
    ...setup,
    ...folder,
    `env --default-signal=INT,QUIT -- ${enter}"$@" 3>&- &`,
    'echo >&3',
    'exec 3>&- >/dev/null 2>&1',
    'wait $!',
  ].join('\n')
}

/** The command line that runs another command inside a running container whose process 1 is `initPid`. Pure. */
export const enterCommand = (
  initPid: number,
  argv: readonly string[],
  isolation: Isolation['kind'],
): readonly [string, ...string[]] => {
  const namespaces =
    isolation === 'full'
      ? ['--mount', '--uts', '--pid', '--net', '--root', '--wd']
      : ['--user', '--preserve-credentials', '--mount', '--pid', '--wd']
  return ['nsenter', '--target', String(initPid), ...namespaces, '--', ...argv]
}

/** A word for a POSIX shell. */
export const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`
