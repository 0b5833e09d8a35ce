import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'
import type { Flavour, Iptables, Place, Transaction } from './objects.ts'
import { choose, RESTORE_ARGS } from './probe.ts'
import { parseSaved } from './read-back.ts'
import { renderInBatches, renderTransaction } from './render.ts'
import { createTool } from './tool.ts'

/**
 * {@link Iptables} through Debian's tools, in the network namespace that `exec` acts in. Needs CAP_NET_ADMIN and CAP_NET_RAW. Changes of the legacy
 * flavour wait for the lock that all its tools share (`/run/xtables.lock`, or `XTABLES_LOCKFILE`).
 */
export const createIptables = (exec: Exec): Iptables => {
  const tool = createTool(exec)
  return {
    choose: (wanted) => choose(tool, wanted),
    async available() {
      const found: Flavour[] = []
      for (const flavour of ['nft', 'legacy'] as const) if ((await tool.obstacle(flavour)) === undefined) found.push(flavour)
      return found
    },
    async restore(place, transaction) {
      for (const stdin of inputs(place, transaction)) {
        if (stdin === '') continue
        await tool.run(place, '-restore', { args: RESTORE_ARGS, stdin }).catch((error) => {
          throw withLine(error, stdin)
        })
      }
    },
    async read(place, owns, signal) {
      try {
        return parseSaved(await tool.run(place, '-save', signal === undefined ? {} : { signal }), owns)
      } catch (error) {
        signal?.throwIfAborted()
        throw new Error(`rules of ${place.family} (${place.flavour}) cannot be read: ${errorMessage(error)}`, { cause: error })
      }
    },
    async hasRules(place, table, chain) {
      try {
        const listed = await tool.run(place, '', { args: ['--wait', '30', '--table', table, '--list-rules', chain] })
        return listed.includes(`-A ${chain}`)
      } catch (error) {
        // 1.8.9 says of a missing chain that it is incompatible.
        if (error instanceof HostError && /No chain|is incompatible/.test(error.stderr)) return false
        throw error
      }
    },
  }
}

/** The legacy flavour writes a whole table each time, so it gets all at once. */
const inputs = ({ flavour }: Place, transaction: Transaction): readonly string[] =>
  flavour === 'nft' ? renderInBatches(transaction) : [renderTransaction(transaction)]

/** The tools say which line is refused by its number. */
const withLine = (error: unknown, input: string): unknown => {
  if (!(error instanceof HostError)) return error
  const [, number] = /line:? (\d+)/.exec(error.stderr) ?? []
  const line = number === undefined ? undefined : input.split('\n')[Number(number) - 1]
  if (line === undefined) return error
  const { code, command, exitCode, stderr } = error
  return new HostError(`${error.message} (${line.slice(0, 200)})`, { code, command, exitCode, stderr }, { cause: error })
}
