import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'
import type { Conntrack, ConntrackEntry, ListFilter } from './entries.ts'
import { parseEntries } from './tool-output.ts'
import { kernelFilter, listsOf, wantedDestination } from './wanted.ts'

/** The oldest with `--load-file`, which removes many entries in one process. */
const OLDEST = [1, 4, 7] as const
/** A million entries. */
const MAX_LISTING = 256 * 1024 * 1024
const TIMEOUT_MS = 120_000

/**
 * {@link Conntrack} by Debian's `conntrack`: the fallback where the C library cannot be called. Needs CAP_NET_ADMIN. The tool reads the whole
 * table again for each entry that it removes, and cannot name an entry by its id: it removes by both tuples.
 */
export const createConntrackTool = (exec: Exec): Conntrack => ({
  async probe() {
    try {
      const { stdout } = await exec(['conntrack', '--version'])
      const [, ...numbers] = /v(\d+)\.(\d+)\.(\d+)/.exec(stdout) ?? []
      const version = numbers.map(Number)
      if (version.length === 0 || isOlder(version)) {
        return `conntrack: version ${JSON.stringify(stdout.trim().slice(0, 60))} is too old; install conntrack ${OLDEST.join('.')} or newer`
      }
      await exec(['conntrack', '-C'])
      return undefined
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (error.code === 'ENOENT') return error.message
      if (/CAP_NET_ADMIN/.test(error.stderr)) return 'conntrack: no permission to read it; run as root or grant CAP_NET_ADMIN'
      return `conntrack: the kernel does not answer (${errorMessage(error)}); load the module nf_conntrack_netlink (CONFIG_NF_CT_NETLINK)`
    }
  },
  async list(filter) {
    if (filter.destinations?.length === 0) return []
    const entries: ConntrackEntry[] = []
    for (const each of listsOf(filter)) entries.push(...(await list(exec, each)))
    return entries
  },
  async remove(entries) {
    if (entries.length === 0) return 0
    const stdin = entries.map((entry) => `${removal(entry)}\n`).join('')
    // It opens its input by name, which works for a pipe but not for the socket that a child of Node.js has.
    const { stdout } = await exec(['sh', '-c', 'cat | conntrack -R -'], {
      stdin,
      timeoutMs: TIMEOUT_MS,
      maxOutputBytes: MAX_LISTING,
    })
    // It prints what it removed.
    return stdout.split('\n').filter((line) => line !== '').length
  },
})

const isOlder = (version: readonly number[]): boolean => {
  for (const [index, part] of OLDEST.entries()) {
    const own = version[index] ?? 0
    if (own !== part) return own < part
  }
  return false
}

const list = async (exec: Exec, filter: ListFilter): Promise<readonly ConntrackEntry[]> => {
  const { address, port } = kernelFilter(filter)
  const { stdout } = await exec(
    [
      'conntrack',
      '-L',
      ...['-f', filter.family.toLowerCase(), '-p', filter.protocol.toLowerCase(), '-o', 'extended,id'],
      ...(address === undefined ? [] : ['--orig-dst', address]),
      ...(port === undefined ? [] : ['--orig-port-dst', String(port)]),
    ],
    { timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_LISTING },
  )
  const isWanted = wantedDestination(filter)
  return parseEntries(stdout, filter).filter(({ original }) => isWanted(original.destination))
}

/** One command of `--load-file`. Addresses and ports were parsed before, so that none holds a blank. */
const removal = ({ family, protocol, original, reply }: ConntrackEntry): string =>
  [
    ...['-D', '-f', family.toLowerCase(), '-p', protocol.toLowerCase(), '-w', '0'],
    ...['--orig-src', original.source.address, '--orig-dst', original.destination.address],
    ...['--orig-port-src', original.source.port, '--orig-port-dst', original.destination.port],
    ...['--reply-src', reply.source.address, '--reply-dst', reply.destination.address],
    ...['--reply-port-src', reply.source.port, '--reply-port-dst', reply.destination.port],
  ].join(' ')
