import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'

/** iproute2 as a function: batches in, parsed JSON out. */
export interface IpTool {
  /** Runs commands in one process, in order, stopping at the first failure; in a network namespace when one is named. */
  batch(commands: readonly IpCommand[], options?: { readonly namespace?: string; readonly keepGoing?: boolean }): Promise<void>
  /** The objects that a `show` prints; none where what it asks for does not exist. */
  show(args: readonly string[], namespace?: string): Promise<readonly Record<string, unknown>[]>
}

/** The words of one command line of `ip -batch`. */
export type IpCommand = readonly string[]

/** {@link IpTool} over the `ip` command. */
export const createIpTool = (exec: Exec): IpTool => ({
  async batch(commands, { namespace, keepGoing = false } = {}) {
    if (commands.length === 0) return
    const stdin = commands.map(batchLine).join('')
    const argv: readonly [string, ...string[]] = [
      'ip',
      ...inNamespace(namespace),
      ...(keepGoing ? ['-force'] : []),
      '-batch',
      '-',
    ]
    try {
      await exec(argv, { stdin, okCodes: keepGoing ? [0, 1] : [0] })
    } catch (error) {
      throw explained(error, commands)
    }
  },
  async show(args, namespace) {
    try {
      const { stdout } = await exec(['ip', ...inNamespace(namespace), '-json', ...args])
      return parseObjects(stdout)
    } catch (error) {
      if (error instanceof HostError && MISSING.test(error.stderr)) return []
      throw error
    }
  },
})

const MISSING = /does not exist|Cannot find device|No such file or directory|FIB table does not exist/

const inNamespace = (namespace: string | undefined): readonly string[] => (namespace === undefined ? [] : ['-netns', namespace])

/** One word of a batch: what could end the line or the word is refused, so that no name injects a command. */
const batchLine = (command: IpCommand): string => {
  for (const word of command) if (!/^[\w.:/@+-]+$/.test(word)) throw new Error(`ip: ${JSON.stringify(word)} is not a plain word`)
  return `${command.join(' ')}\n`
}

/** `ip` says "Command failed -:3", or not even that for a word that it can't read: puts the command itself into the message. */
const explained = (error: unknown, commands: readonly IpCommand[]): unknown => {
  if (!(error instanceof HostError)) return error
  const line = Number(/Command failed -:(\d+)/.exec(error.stderr)?.[1])
  const command = commands[line - 1] ?? commands.flatMap((words, index) => (index === 0 ? words : [';', ...words]))
  const said = error.stderr.replace(/\s*Command failed -:\d+\s*/g, ' ').trim()
  return new HostError(
    `ip ${command.join(' ')}: ${said}`,
    { code: error.code, command, exitCode: error.exitCode, stderr: error.stderr },
    { cause: error },
  )
}

const parseObjects = (text: string): readonly Record<string, unknown>[] => {
  if (text.trim() === '') return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`ip: answer is not JSON: ${errorMessage(error)}`)
  }
  if (!Array.isArray(value)) throw new Error('ip: answer is not a list')
  // Objects that were asked for and don't match a filter come as {} (iproute2 6.1).
  return value.filter(
    (item): item is Record<string, unknown> => typeof item === 'object' && item !== null && Object.keys(item).length > 0,
  )
}
