import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'
import { type Nft, type Table, type TableContents, tableText } from './objects.ts'
import { kernelLacks, NO_PERMISSION, PROBE } from './probe.ts'
import { parseTable } from './read-back.ts'
import { renderTransaction } from './render.ts'

/** The oldest nft whose concatenated maps in `dnat` work. */
const OLDEST: readonly [number, number, number] = [1, 0, 1]
const COMMIT_TIMEOUT_MS = 120_000
/** 50,000 Services × 5 endpoints are about 40 MB. */
const MAX_LISTING = 1024 * 1024 * 1024

/** {@link Nft} through Debian's `nft` alone, in the network namespace that `exec` runs in. Needs CAP_NET_ADMIN. */
export const toolNft = (exec: Exec): Nft => ({
  async probe() {
    try {
      const { stdout } = await exec(['nft', '--version'])
      const version = versionOf(stdout)
      if (version === undefined)
        return `nft: version ${JSON.stringify(stdout.slice(0, 60))} is unknown; install nftables 1.0.1 or newer`
      if (isOlder(version, OLDEST))
        return `nft: version ${version.join('.')} is too old; install nftables ${OLDEST.join('.')} or newer`
      // Checked by the kernel but not done.
      await exec(['nft', '--check', '--file', '-'], { stdin: renderTransaction(PROBE) })
      return undefined
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (error.code === 'ENOENT') return error.message
      if (/not permitted|must be root/i.test(error.stderr)) return NO_PERMISSION
      return kernelLacks(errorMessage(error))
    }
  },
  async commit(transaction) {
    const stdin = renderTransaction(transaction)
    if (stdin === '') return
    await exec(['nft', '--file', '-'], { stdin, timeoutMs: COMMIT_TIMEOUT_MS })
  },
  async readTable(table, signal) {
    try {
      const flags = await flagsOf(exec, table)
      // nft 1.0.6 makes no JSON of a table with flags; what is in it does not matter then.
      if (flags.flags !== undefined) return { sets: [], chains: [], elements: new Map(), ...flags }
      // --terse would leave the elements out.
      const { stdout } = await exec(['nft', '--json', '--numeric-priority', 'list', 'table', table.family, table.name], {
        timeoutMs: COMMIT_TIMEOUT_MS,
        maxOutputBytes: MAX_LISTING,
        ...(signal === undefined ? {} : { signal }),
      })
      return parseTable(stdout)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof HostError && /No such file or directory/.test(error.stderr)) return undefined
      throw new Error(`${tableText(table)} cannot be read: ${errorMessage(error)}`, { cause: error })
    }
  },
  othersChanges: async () => undefined,
  close: async () => {},
  // `nft monitor` would be a child for ever, and tells of this process' own changes too.
  watch: () => false,
})

const flagsOf = async (exec: Exec, { family, name }: Table): Promise<Pick<TableContents, 'flags'>> => {
  const { stdout } = await exec(['nft', '--terse', 'list', 'table', family, name], { maxOutputBytes: MAX_LISTING })
  const words = /^\tflags ([\w,]+)$/m.exec(stdout)?.[1]?.split(',') ?? []
  const flags = (['owner', 'dormant'] as const).filter((flag) => words.includes(flag))
  return flags.length === 0 ? {} : { flags }
}

type Version = readonly [number, number, number]

const versionOf = (text: string): Version | undefined => {
  const [, major, minor, patch] = /v(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)]
}

const isOlder = (version: Version, than: Version): boolean => {
  for (const [index, part] of version.entries()) {
    const other = than[index] ?? 0
    if (part !== other) return part < other
  }
  return false
}
