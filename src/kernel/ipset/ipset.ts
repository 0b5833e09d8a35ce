import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'
import type { Ipset } from './objects.ts'
import { parseSaved } from './read-back.ts'
import { renderCommands } from './render.ts'

const COMMIT_TIMEOUT_MS = 120_000
/** A million members are about 40 MB. */
const MAX_LISTING = 1024 * 1024 * 1024

/** {@link Ipset} through Debian's `ipset`, in the network namespace that `exec` acts in. Needs CAP_NET_ADMIN. */
export const createIpset = (exec: Exec): Ipset => ({
  async probe() {
    try {
      await exec(['ipset', 'list', '-name'])
      return undefined
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (error.code === 'ENOENT') return error.message
      if (/not permitted/i.test(error.stderr)) return 'ipset: no permission to change sets; run as root or grant CAP_NET_ADMIN'
      return `ipset: the kernel lacks sets (module ip_set); load it, or choose another --proxy-mode: ${errorMessage(error).slice(0, 300)}`
    }
  },
  async commit(commands) {
    if (commands.length === 0) return
    const stdin = renderCommands(commands)
    try {
      await exec(['ipset', 'restore'], { stdin, timeoutMs: COMMIT_TIMEOUT_MS })
    } catch (error) {
      throw withLine(error, stdin)
    }
  },
  async read(owns, signal) {
    try {
      const { stdout } = await exec(['ipset', 'save'], {
        timeoutMs: COMMIT_TIMEOUT_MS,
        maxOutputBytes: MAX_LISTING,
        ...(signal === undefined ? {} : { signal }),
      })
      return parseSaved(stdout, owns)
    } catch (error) {
      signal?.throwIfAborted()
      throw new Error(`ipset: sets cannot be read: ${errorMessage(error)}`, { cause: error })
    }
  },
})

/** ipset says which line is refused by its number only. */
const withLine = (error: unknown, input: string): unknown => {
  if (!(error instanceof HostError)) return error
  const [, number] = /Error in line (\d+)/.exec(error.stderr) ?? []
  const line = number === undefined ? undefined : input.split('\n')[Number(number) - 1]
  if (line === undefined) return error
  const { code, command, exitCode, stderr } = error
  return new HostError(`${error.message} (${line.slice(0, 200)})`, { code, command, exitCode, stderr }, { cause: error })
}
