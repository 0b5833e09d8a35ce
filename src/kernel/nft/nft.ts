import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'
import type { Nft } from './objects.ts'
import { parseTable } from './read-back.ts'
import { renderTransaction, tableText } from './render.ts'

/** The oldest nft whose concatenated maps in `dnat` work. */
const OLDEST: readonly [number, number, number] = [1, 0, 1]
const COMMIT_TIMEOUT_MS = 120_000
/** 50,000 Services × 5 endpoints are about 40 MB. */
const MAX_LISTING = 1024 * 1024 * 1024

/** {@link Nft} through Debian's `nft`, in the network namespace of this process. Needs CAP_NET_ADMIN. */
export const createNft = (exec: Exec): Nft => ({
  async probe() {
    try {
      const { stdout } = await exec(['nft', '--version'])
      const version = versionOf(stdout)
      if (version === undefined)
        return `nft: version ${JSON.stringify(stdout.slice(0, 60))} is unknown; install nftables 1.0.1 or newer`
      if (isOlder(version, OLDEST))
        return `nft: version ${version.join('.')} is too old; install nftables ${OLDEST.join('.')} or newer`
      // Checked by the kernel but not done.
      await exec(['nft', '--check', '--file', '-'], { stdin: PROBE })
      return undefined
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      if (error.code === 'ENOENT') return error.message
      if (/not permitted|must be root/i.test(error.stderr))
        return 'nft: no permission to change packet rules; run as root or grant CAP_NET_ADMIN'
      return `nft: the kernel lacks what is needed (nat, numgen, fib, dynamic maps): ${errorMessage(error).slice(0, 300)}`
    }
  },
  async commit(transaction) {
    const stdin = renderTransaction(transaction)
    if (stdin === '') return
    await exec(['nft', '--file', '-'], { stdin, timeoutMs: COMMIT_TIMEOUT_MS })
  },
  async readTable(table) {
    try {
      // --terse would leave the elements out.
      const { stdout } = await exec(['nft', '--json', '--numeric-priority', 'list', 'table', table.family, table.name], {
        timeoutMs: COMMIT_TIMEOUT_MS,
        maxOutputBytes: MAX_LISTING,
      })
      return parseTable(stdout)
    } catch (error) {
      if (error instanceof HostError && /No such file or directory/.test(error.stderr)) return undefined
      throw new Error(`${tableText(table)} cannot be read: ${errorMessage(error)}`, { cause: error })
    }
  },
})

const PROBE = `table ip fairway-probe {
  map endpoints {
    type ipv4_addr . inet_proto . inet_service . classid : ipv4_addr . inet_service
  }
  map affinity {
    type ipv4_addr . mark : classid
    size 16
    flags dynamic,timeout
  }
  chain nat {
    type nat hook output priority -100; policy accept;
    fib saddr type local meta priority set numgen random mod 2 offset 1
    update @affinity { ip saddr . ct mark timeout 1s : meta priority }
    meta l4proto tcp dnat ip to ip daddr . meta l4proto . th dport . meta priority map @endpoints
  }
}
`

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
